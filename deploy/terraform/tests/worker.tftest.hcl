# `terraform test`: what the module makes of its variables. No AWS is called.

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

run "fargate" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].stopTimeout == 120
    error_message = "Fargate's most is 120 s"
  }
  assert {
    condition = contains(
      jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].environment,
      { name = "RELEASES_GRACE", value = "110s" },
    )
    error_message = "the worker has to end before it is killed"
  }
  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.worker.container_definitions) :
      container.readonlyRootFilesystem && container.user == "10001:10001" &&
      container.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "the container is hardened"
  }
  assert {
    condition = !can(
      jsondecode(aws_ecs_task_definition.worker.container_definitions)[0].entryPoint
    )
    error_message = "the image has its own entry point"
  }
  assert {
    condition = (
      toset([for rule in aws_security_group.worker.egress : rule.to_port]) == toset([443, 7233])
      && length(aws_security_group.worker.ingress) == 0
    )
    error_message = "out to AWS and Temporal, and nothing in"
  }
  assert {
    condition     = length(aws_ecs_cluster.own) == 1
    error_message = "it has a cluster of its own"
  }
}
