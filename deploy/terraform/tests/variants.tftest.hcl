# What the module makes of its other variables, and what it refuses.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mocked" }
  }
}

variables {
  image            = "registry.example.com/lambda-releases@sha256:0123"
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2"]
  temporal_address = "temporal.example.com:7233"
  policies         = { release = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
}

run "instances" {
  variables {
    launch_type = "EC2"
    cluster     = "arn:aws:ecs:eu-west-1:123456789012:cluster/own"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].stopTimeout == 920
    error_message = "hooks have their 15 minutes"
  }
  assert {
    condition     = length(aws_ecs_cluster.own) == 0
    error_message = "the cluster exists"
  }
}

run "instances_need_a_cluster" {
  command = plan

  variables {
    launch_type = "EC2"
  }
  expect_failures = [aws_ecs_service.worker]
}

run "secrets" {
  variables {
    temporal_api_key_secret     = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-a"
    temporal_certificate_secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mtls-a"
  }
  assert {
    condition = (
      toset([
        for secret in jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].secrets :
        secret.name
        ]) == toset([
        "TEMPORAL_API_KEY", "TEMPORAL_TLS_CLIENT_CERT_DATA", "TEMPORAL_TLS_CLIENT_KEY_DATA"
      ])
    )
    error_message = "ECS hands the secrets over"
  }
  assert {
    condition     = length(aws_iam_role_policy.secrets) == 1
    error_message = "ECS may read them"
  }
}

run "places" {
  variables {
    places          = "places: []"
    place_role_arns = ["arn:aws:iam::222222222222:role/lambda-releases"]
    environment     = { RELEASES_AWS_RATE = "10" }
  }
  assert {
    condition = !strcontains(
      aws_ecs_task_definition.worker.container_definitions, "RELEASES_TASK_QUEUE"
    )
    error_message = "each place has its queue"
  }
  assert {
    condition = strcontains(
      jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].command[0],
      "exec releases-worker --config /dev/stdin"
    )
    error_message = "the worker reads the places, and is process 1"
  }
  assert {
    condition     = length(aws_iam_role_policy.places) == 1
    error_message = "it may assume their roles"
  }
}

run "mistakes" {
  command = plan

  variables {
    image            = "lambda-releases"
    launch_type      = "SERVERLESS"
    temporal_address = "https://temporal.example.com"
    policies         = { release = "release.json" }
    functions        = []
    workers          = 1.5
    name             = "Lambda Releases"
    subnet_ids       = []
  }
  expect_failures = [
    var.image,
    var.launch_type,
    var.temporal_address,
    var.policies,
    var.functions,
    var.workers,
    var.name,
    var.subnet_ids,
  ]
}
