# The same topics and the same access list as deploy/mosquitto, for IoT Core. Its limits are kept by
# Walkout anyway: quality of service at most 1, messages of at most 128 KiB, no broker plugins.

data "aws_region" "current" {}

locals {
  iot = "arn:aws:iot:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
  # From the certificate and not from the client id, so that both connections of a device are it.
  me = "$${iot:Certificate.Subject.CommonName}"

  cloud_requests = {
    for name, request in {
      "cloud.trainer"  = var.trainer_certificate_request
      "cloud.receiver" = var.receiver_certificate_request
    } : name => request if request != null
  }
}

resource "aws_iot_thing_type" "device" {
  name = "${var.name}-device"
}

resource "aws_iot_thing" "device" {
  for_each        = var.certificate_requests
  name            = each.key
  thing_type_name = aws_iot_thing_type.device.name
}

resource "aws_iot_certificate" "device" {
  for_each = var.certificate_requests
  csr      = each.value
  active   = true
}

resource "aws_iot_thing_principal_attachment" "device" {
  for_each  = var.certificate_requests
  thing     = aws_iot_thing.device[each.key].name
  principal = aws_iot_certificate.device[each.key].arn
}

# A device is who its certificate says, and nobody else. Its second connection, by which the checkout
# sends receipts, adds "-till" to the client id.
data "aws_iam_policy_document" "device_iot" {
  statement {
    sid       = "ConnectAsItself"
    actions   = ["iot:Connect"]
    resources = ["${local.iot}:client/${local.me}", "${local.iot}:client/${local.me}-till"]
  }

  statement {
    sid     = "SayItsOwn"
    actions = ["iot:Publish", "iot:RetainPublish"]
    resources = [
      "${local.iot}:topic/fleet/v1/d/${local.me}/status",
      "${local.iot}:topic/fleet/v1/d/${local.me}/evt/update",
      "${local.iot}:topic/walkout/${local.me}/available",
      "${local.iot}:topic/walkout/${local.me}/receipts/*",
      "${local.iot}:topic/walkout/${local.me}/baskets/*",
    ]
  }

  statement {
    sid     = "AskForItsOwn"
    actions = ["iot:Subscribe"]
    resources = [
      "${local.iot}:topicfilter/fleet/v1/d/${local.me}/cmd",
      "${local.iot}:topicfilter/fleet/v1/announce/*",
      "${local.iot}:topicfilter/walkout/${local.me}/ack/*",
    ]
  }

  statement {
    sid     = "HearItsOwn"
    actions = ["iot:Receive"]
    resources = [
      "${local.iot}:topic/fleet/v1/d/${local.me}/cmd",
      "${local.iot}:topic/fleet/v1/announce/*",
      "${local.iot}:topic/walkout/${local.me}/ack/*",
    ]
  }

  statement {
    sid       = "ReadReleases"
    actions   = ["iot:AssumeRoleWithCertificate"]
    resources = [aws_iot_role_alias.device.arn]
  }
}

resource "aws_iot_policy" "device" {
  name   = "${var.name}-device"
  policy = data.aws_iam_policy_document.device_iot.json
}

resource "aws_iot_policy_attachment" "device" {
  for_each = var.certificate_requests
  policy   = aws_iot_policy.device.name
  target   = aws_iot_certificate.device[each.key].arn
}

# The cloud's own programs. Client ids begin with their names; several commands may run at once.
data "aws_iam_policy_document" "trainer_iot" {
  statement {
    actions   = ["iot:Connect"]
    resources = ["${local.iot}:client/cloud.trainer*", "${local.iot}:client/walkout-trainer-*"]
  }

  statement {
    actions = ["iot:Publish", "iot:RetainPublish"]
    resources = [
      "${local.iot}:topic/fleet/v1/announce/*",
      "${local.iot}:topic/fleet/v1/d/*/cmd",
    ]
  }

  statement {
    actions = ["iot:Subscribe"]
    resources = [
      "${local.iot}:topicfilter/fleet/v1/d/+/status",
      "${local.iot}:topicfilter/fleet/v1/d/+/evt/update",
    ]
  }

  statement {
    actions = ["iot:Receive"]
    resources = [
      "${local.iot}:topic/fleet/v1/d/*/status",
      "${local.iot}:topic/fleet/v1/d/*/evt/update",
    ]
  }
}

data "aws_iam_policy_document" "receiver_iot" {
  statement {
    actions   = ["iot:Connect"]
    resources = ["${local.iot}:client/cloud.receiver*"]
  }

  statement {
    actions   = ["iot:Publish"]
    resources = ["${local.iot}:topic/walkout/*/ack/*"]
  }

  statement {
    actions = ["iot:Subscribe"]
    resources = [
      "${local.iot}:topicfilter/walkout/+/receipts/+",
      "${local.iot}:topicfilter/walkout/+/baskets/+",
    ]
  }

  statement {
    actions = ["iot:Receive"]
    resources = [
      "${local.iot}:topic/walkout/*/receipts/*",
      "${local.iot}:topic/walkout/*/baskets/*",
    ]
  }
}

resource "aws_iot_policy" "cloud" {
  for_each = {
    "cloud.trainer"  = data.aws_iam_policy_document.trainer_iot.json
    "cloud.receiver" = data.aws_iam_policy_document.receiver_iot.json
  }
  name   = "${var.name}-${replace(each.key, ".", "-")}"
  policy = each.value
}

resource "aws_iot_certificate" "cloud" {
  for_each = local.cloud_requests
  csr      = each.value
  active   = true
}

resource "aws_iot_policy_attachment" "cloud" {
  for_each = local.cloud_requests
  policy   = aws_iot_policy.cloud[each.key].name
  target   = aws_iot_certificate.cloud[each.key].arn
}

data "aws_iot_endpoint" "mqtt" {
  endpoint_type = "iot:Data-ATS"
}

data "aws_iot_endpoint" "credentials" {
  endpoint_type = "iot:CredentialProvider"
}
