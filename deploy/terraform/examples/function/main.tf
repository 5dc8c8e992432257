# A function whose code and alias are moved by releases, and everything else by Terraform
# (docs/alias-ownership.md). Checked by tests/deploy/test_terraform.py: applied to an emulator,
# released, and then planned again without a difference.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

variable "function" {
  description = "The name of the function."
  type        = string
  default     = "orders"
}

variable "first_package" {
  description = "A zip file with the code of version 1; any code will do."
  type        = string
}

variable "role_arn" {
  description = "The role that the function runs with."
  type        = string
}

resource "aws_lambda_function" "this" {
  function_name = var.function
  role          = var.role_arn
  runtime       = "python3.13"
  handler       = "checkout.handler"
  memory_size   = 256
  timeout       = 10
  filename      = var.first_package
  publish       = true

  lifecycle {
    ignore_changes = [
      # A release writes them: the code, where it comes from, and the description of the version.
      filename,
      source_code_hash,
      s3_bucket,
      s3_key,
      s3_object_version,
      image_uri,
      description,
      # And these only where your releases send them in `configuration` or `concurrency`.
      reserved_concurrent_executions,
    ]
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.this.function_name
  function_version = "1"

  lifecycle {
    # Version and weights are the release's: without this, an apply in the middle of a canary would
    # send all traffic to version 1.
    ignore_changes = [function_version, routing_config]
  }
}

output "alias_arn" {
  description = "What callers, event source mappings and permissions name."
  value       = aws_lambda_alias.live.arn
}
