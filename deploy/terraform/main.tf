# Workers of lambda-releases on Amazon ECS: the same as deploy/cloudformation/worker.yaml.
#
# docs/install-ecs.md has the commands. Checked by tests/deploy/test_terraform.py: fmt, validate,
# the tests beside this file, and an apply to an emulator.
# Not proven here: a start on real Fargate or EC2, and decisions of AWS IAM.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  is_fargate = var.launch_type == "FARGATE"

  environment = merge(
    {
      AWS_REGION          = local.region
      TEMPORAL_ADDRESS    = var.temporal_address
      TEMPORAL_NAMESPACE  = var.temporal_namespace
      RELEASES_METRICS    = ":9464"
      RELEASES_GRACE      = local.is_fargate ? "110s" : "15m"
      RELEASES_LOG_FORMAT = "json"
      RELEASES_FUNCTIONS  = join(",", var.functions)
      RELEASES_REFERENCES = join(",", var.references)
      RELEASES_TASK_QUEUE = var.places == null ? var.task_queue : null
      PLACES              = var.places
    },
    var.environment,
  )

  secrets = merge(
    var.temporal_api_key_secret == null ? {} : {
      TEMPORAL_API_KEY = var.temporal_api_key_secret
    },
    var.temporal_certificate_secret == null ? {} : {
      TEMPORAL_TLS_CLIENT_CERT_DATA = "${var.temporal_certificate_secret}:certificate::"
      TEMPORAL_TLS_CLIENT_KEY_DATA  = "${var.temporal_certificate_secret}:key::"
    },
    var.codec_keys_secret == null ? {} : {
      RELEASES_CODEC_KEYS = var.codec_keys_secret
    },
  )
  secret_arns = compact([
    var.temporal_api_key_secret, var.temporal_certificate_secret, var.codec_keys_secret
  ])

  # With places, their content is the standard input of the worker, which stays process 1: ECS has
  # no file to mount, and the root is read-only.
  from_places = {
    entryPoint = ["/bin/sh", "-c"]
    command = [
      "exec releases-worker --config /dev/stdin <<END_OF_PLACES\n$PLACES\nEND_OF_PLACES\n"
    ]
  }
}

resource "aws_cloudwatch_log_group" "worker" {
  name              = "/lambda-releases/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key
  # The log says who released what: it outlives the service.
  skip_destroy = true
  tags         = var.tags
}

resource "aws_ecs_cluster" "own" {
  count = var.cluster == null ? 1 : 0
  name  = var.name
  tags  = var.tags

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

# Nobody connects to a worker: it polls. Out it goes to AWS and to Temporal alone.
resource "aws_security_group" "worker" {
  name        = "${var.name}-worker"
  description = "Workers of lambda-releases"
  vpc_id      = var.vpc_id
  tags        = var.tags

  dynamic "egress" {
    for_each = toset(["443", split(":", var.temporal_address)[1]])

    content {
      description      = egress.value == "443" ? "AWS" : "Temporal"
      protocol         = "tcp"
      from_port        = tonumber(egress.value)
      to_port          = tonumber(egress.value)
      cidr_blocks      = ["0.0.0.0/0"]
      ipv6_cidr_blocks = ["::/0"]
    }
  }
}

resource "aws_ecs_task_definition" "worker" {
  family                   = "${var.name}-worker"
  requires_compatibilities = [var.launch_type]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = var.tags

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([merge(
    {
      name                   = "worker"
      image                  = var.image
      essential              = true
      user                   = "10001:10001"
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      # From SIGTERM to SIGKILL. Fargate's most is 120 s; 920 s are RELEASES_GRACE and a margin.
      stopTimeout = local.is_fargate ? 120 : 920
      healthCheck = {
        command = [
          "CMD", "python", "-c",
          "import urllib.request as web; web.urlopen(\"http://127.0.0.1:9464/healthz\", timeout=4)",
        ]
        interval    = 30
        timeout     = 5
        retries     = 3
        startPeriod = 60
      }
      environment = [
        for name, value in local.environment : { name = name, value = value } if value != null
      ]
      secrets = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          "awslogs-group"         = aws_cloudwatch_log_group.worker.name
          "awslogs-region"        = local.region
          "awslogs-stream-prefix" = "worker"
        }
      }
    },
    [for more in [local.from_places] : more if var.places != null]...
  )])
}

resource "aws_ecs_service" "worker" {
  name            = var.name
  cluster         = var.cluster == null ? aws_ecs_cluster.own[0].arn : var.cluster
  task_definition = aws_ecs_task_definition.worker.arn
  launch_type     = var.launch_type
  desired_count   = var.workers
  propagate_tags  = "SERVICE"
  tags            = var.tags
  # New workers first: no release waits for one.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  # A new image that does not start is taken back.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.worker.id]
    assign_public_ip = local.is_fargate && var.assign_public_ip
  }

  lifecycle {
    precondition {
      condition     = local.is_fargate || var.cluster != null
      error_message = "launch_type EC2 needs a cluster with container instances."
    }
  }
}
