export TEMPORAL_ADDRESS=127.0.0.1:7233
releases start checkout --s3 s3://artifacts/checkout/good.zip --reason "PR 11" --id pr-11
releases status pr-11 -o json
releases pause checkout --reason "p99 is up"
releases pause checkout || echo "refused: $?"    # 1: paused already
releases resume checkout
releases abort checkout --reason "wrong build"
releases watch pr-11 || echo "ended: $?"         # 1: rolled back
releases explain pr-11
