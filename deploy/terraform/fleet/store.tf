# Where signed releases lie. What is believed, signatures decide; the bucket only has to keep it.

data "aws_caller_identity" "current" {}

resource "aws_s3_bucket" "releases" {
  bucket = "${var.name}-releases-${data.aws_caller_identity.current.account_id}"
}

resource "aws_s3_bucket_public_access_block" "releases" {
  bucket                  = aws_s3_bucket.releases.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "releases" {
  bucket = aws_s3_bucket.releases.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# A publisher that goes wrong overwrites timestamp.json alone; its former states can be brought back.
resource "aws_s3_bucket_versioning" "releases" {
  bucket = aws_s3_bucket.releases.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "releases" {
  bucket     = aws_s3_bucket.releases.id
  depends_on = [aws_s3_bucket_versioning.releases]

  rule {
    id     = "old-objects"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.old_objects_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.releases.arn, "${aws_s3_bucket.releases.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "releases" {
  bucket     = aws_s3_bucket.releases.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.releases]
}

# The publisher and the rollout engine.
data "aws_iam_policy_document" "publisher" {
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.releases.arn}/*"]
  }

  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.releases.arn]
  }
}

resource "aws_iam_policy" "publisher" {
  name   = "${var.name}-publisher"
  policy = data.aws_iam_policy_document.publisher.json
}

# Devices read by the role that IoT Core's credential provider gives them for their certificate, so
# no device holds a key of AWS.
data "aws_iam_policy_document" "device_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["credentials.iot.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "device_reads" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.releases.arn}/*"]
  }

  # Without it S3 answers 403 for what is not there, instead of 404.
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.releases.arn]
  }
}

resource "aws_iam_role" "device" {
  name               = "${var.name}-device"
  assume_role_policy = data.aws_iam_policy_document.device_trust.json
}

resource "aws_iam_role_policy" "device" {
  name   = "read-releases"
  role   = aws_iam_role.device.id
  policy = data.aws_iam_policy_document.device_reads.json
}

resource "aws_iot_role_alias" "device" {
  alias    = "${var.name}-device"
  role_arn = aws_iam_role.device.arn
}
