# Two roles: what starts the portal's task reads its image, its secrets and writes its log; what runs in
# it reads and writes two buckets. Neither can do anything else.

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.name
}

data "aws_iam_policy_document" "tasks" {
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
  }
}

resource "aws_iam_role" "starts" {
  name               = "${var.name}-starts"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "starts" {
  statement {
    sid       = "Image"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = ["arn:aws:ecr:${local.region}:${local.account}:repository/walkout-cloud"]
  }

  # Says who asks, and nothing more; AWS knows no narrower resource for it.
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.portal.arn}:*"]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.database_url.arn]
  }
}

resource "aws_iam_role_policy" "starts" {
  name   = "start-the-portal"
  role   = aws_iam_role.starts.id
  policy = data.aws_iam_policy_document.starts.json
}

resource "aws_iam_role" "portal" {
  name               = "${var.name}-portal"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "portal" {
  statement {
    sid     = "Objects"
    actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [
      "${aws_s3_bucket.photos.arn}/*",
      "arn:aws:s3:::${var.releases_bucket}/*",
    ]
  }

  # What a provider takes back.
  statement {
    sid       = "Photos"
    actions   = ["s3:DeleteObject"]
    resources = ["${aws_s3_bucket.photos.arn}/*"]
  }

  statement {
    sid       = "Lists"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.photos.arn, "arn:aws:s3:::${var.releases_bucket}"]
  }
}

resource "aws_iam_role_policy" "portal" {
  name   = "photos-and-releases"
  role   = aws_iam_role.portal.id
  policy = data.aws_iam_policy_document.portal.json
}
