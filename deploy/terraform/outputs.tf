output "task_role_arn" {
  description = "The role of the workers; roles of other accounts trust it (docs/permissions.md)."
  value       = aws_iam_role.task.arn
}

output "cluster" {
  description = "The cluster of the service."
  value       = aws_ecs_service.worker.cluster
}

output "service" {
  description = "The name of the service."
  value       = aws_ecs_service.worker.name
}

output "security_group_id" {
  description = "The security group of the workers."
  value       = aws_security_group.worker.id
}

output "log_group" {
  description = "The log group of the workers."
  value       = aws_cloudwatch_log_group.worker.name
}
