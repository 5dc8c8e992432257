# Two workers for the functions checkout-*, in a network that exists. docs/install-ecs.md says how
# release.json comes to be. Checked by tests/deploy/test_terraform.py: applied to an emulator.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

variable "image" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "temporal_address" {
  type = string
}

variable "temporal_api_key_secret" {
  type    = string
  default = null
}

module "workers" {
  source = "../.."

  image                   = var.image
  vpc_id                  = var.vpc_id
  subnet_ids              = var.subnet_ids
  temporal_address        = var.temporal_address
  temporal_api_key_secret = var.temporal_api_key_secret
  functions               = ["checkout-*"]
  policies                = { release = file("${path.module}/release.json") }
}

output "task_role_arn" {
  value = module.workers.task_role_arn
}
