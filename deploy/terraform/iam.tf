data "aws_iam_policy_document" "ecs_tasks_of_this_account" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

# The role of the worker itself: policies say what a release needs.
resource "aws_iam_role" "task" {
  name_prefix        = "${var.name}-task-"
  description        = "What a worker of lambda-releases does at AWS"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks_of_this_account.json
  tags               = var.tags
}

resource "aws_iam_policy" "releases" {
  for_each = var.policies

  name_prefix = "${var.name}-${each.key}-"
  description = "What a worker of lambda-releases does at AWS: ${each.key}"
  policy      = each.value
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "releases" {
  for_each = var.policies

  role       = aws_iam_role.task.name
  policy_arn = aws_iam_policy.releases[each.key].arn
}

data "aws_iam_policy_document" "places" {
  count = length(var.place_role_arns) > 0 ? 1 : 0

  statement {
    actions   = ["sts:AssumeRole", "sts:TagSession"]
    resources = var.place_role_arns
  }
}

resource "aws_iam_role_policy" "places" {
  count = length(var.place_role_arns) > 0 ? 1 : 0

  name   = "assume-roles-of-places"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.places[0].json
}

# The role of ECS, which pulls the image, reads the secrets, and opens the log.
resource "aws_iam_role" "execution" {
  name_prefix        = "${var.name}-start-"
  description        = "What ECS does to start a worker of lambda-releases"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks_of_this_account.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  count = length(local.secret_arns) > 0 ? 1 : 0

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = local.secret_arns
  }
  dynamic "statement" {
    for_each = var.secrets_key[*]

    content {
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "secrets" {
  count = length(local.secret_arns) > 0 ? 1 : 0

  name   = "read-secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets[0].json
}
