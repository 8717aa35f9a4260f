# Two public subnets for the balancer and the portal's task, two private ones for the database, which
# nothing outside of the portal reaches.

data "aws_availability_zones" "here" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, 2)
}

resource "aws_vpc" "portal" {
  cidr_block           = var.network
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_internet_gateway" "portal" {
  vpc_id = aws_vpc.portal.id
}

resource "aws_subnet" "public" {
  count             = 2
  vpc_id            = aws_vpc.portal.id
  cidr_block        = cidrsubnet(var.network, 8, count.index)
  availability_zone = local.zones[count.index]
  tags              = { Name = "${var.name}-public-${count.index}" }
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.portal.id
  cidr_block        = cidrsubnet(var.network, 8, 10 + count.index)
  availability_zone = local.zones[count.index]
  tags              = { Name = "${var.name}-private-${count.index}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.portal.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.portal.id
  }
}

resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "Visitors to the balancer"
  vpc_id      = aws_vpc.portal.id

  ingress {
    description = "HTTPS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = var.visitors
  }

  egress {
    description = "The portal"
    from_port   = 8090
    to_port     = 8090
    protocol    = "tcp"
    cidr_blocks = [var.network]
  }
}

resource "aws_security_group" "portal" {
  name        = "${var.name}-portal"
  description = "The balancer to the portal"
  vpc_id      = aws_vpc.portal.id

  ingress {
    description     = "From the balancer"
    from_port       = 8090
    to_port         = 8090
    protocol        = "tcp"
    security_groups = [aws_security_group.balancer.id]
  }

  egress {
    description = "S3, IoT Core, secrets, logs, the database"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "The portal to the database"
  vpc_id      = aws_vpc.portal.id

  ingress {
    description     = "PostgreSQL"
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [aws_security_group.portal.id]
  }
}
