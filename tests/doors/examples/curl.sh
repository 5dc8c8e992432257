API=http://127.0.0.1:7243/api/v1/namespaces/default/workflows
ROLLOUT=lambda:000000000000:us-east-1:checkout:live

# Start
curl -sw '\n' $API/pr-12 -d '{
  "workflowType": {"name": "Release"},
  "taskQueue": {"name": "lambda-releases"},
  "input": [{
    "target": {"function": "checkout", "alias": "live"},
    "artifact": {"kind": "s3", "bucket": "artifacts", "key": "checkout/good.zip"},
    "strategy": "Canary10Percent5Minutes",
    "requested_by": "ci", "reason": "PR 12"}]}'

# Query, until it bakes or is over
while status=$(curl -s $API/pr-12/query/status -d '{}') &&
      grep -qE '"phase":"(preparing|shifting)"' <<< "$status"; do sleep 1; done
echo "$status"

# Update: its name, its id, its input
update() {
  curl -sw '\n' $API/pr-12/update/$1 -d '{
    "request": {"meta": {"updateId": "'$2'"}, "input": {"args": ['"${3-}"']}},
    "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"}}'
}
update pause pause-12 '{"by": "ana", "reason": "p99 is up"}'
update pause pause-13 '{"by": "bo"}'    # "outcome":{"failure":{"message":"paused already", …
update resume resume-12
update abort abort-12 '{"by": "ana", "reason": "wrong build"}'

# Wait for its end: Temporal answers after 20 s at most, without an event if there is none
END='waitNewEvent=true&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT'
until end=$(curl -s "$API/pr-12/history?$END") && grep -q '"eventId"' <<< "$end"; do :; done
echo "$end"

# What Temporal has recorded of it; no worker is needed
curl -sw '\n' $API/$ROLLOUT
curl -sw '\n' -G $API --data-urlencode "query=LambdaFunction = 'checkout'"
