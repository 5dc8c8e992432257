"""Who may take a role, by where the worker runs: the trust policy.

Not proven here: that AWS evaluates them so. Their actions and condition keys are checked against
AWS's list of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from deploy.iam.policy import Document, make_document
from deploy.iam.resources import Place, ResourceNameError, check_name

_GITHUB: Final = "token.actions.githubusercontent.com"
_ASSUME: Final = "sts:AssumeRole"
_ASSUME_TAGGED: Final = ["sts:AssumeRole", "sts:TagSession"]
_ASSUME_BY_IDENTITY: Final = "sts:AssumeRoleWithWebIdentity"


class Platform(StrEnum):
    """Where whoever takes the role runs."""

    EC2 = "ec2"
    ECS = "ecs"
    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"
    GITHUB = "github"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Trusted:
    """Who may take the role, on one of the platforms; what its flags say.

    - ``issuer``: of the cluster's tokens, without ``https://``
    - ``service_account``: ``namespace/name``
    - ``cluster``: the name of an EKS cluster
    - ``subject``: of GitHub's token, such as ``repo:acme/shop:environment:production``
    - ``principal``: the ARN of the role of a worker in another account
    - ``external_id``: the secret that it has to name
    """

    platform: Platform
    issuer: str | None = None
    service_account: str | None = None
    cluster: str | None = None
    subject: str | None = None
    principal: str | None = None
    external_id: str | None = None


def build_trust(trusted: Trusted, place: Place) -> Document:
    """Return the trust policy. Raises ``ResourceNameError`` where a flag is missing."""
    match trusted.platform:
        case Platform.EC2:
            return _allow({"Service": "ec2.amazonaws.com"}, _ASSUME)
        case Platform.ECS:
            condition = {
                "StringEquals": {"aws:SourceAccount": place.account},
                "ArnLike": {"aws:SourceArn": place.arn("ecs", "*")},
            }
            return _allow({"Service": "ecs-tasks.amazonaws.com"}, _ASSUME, condition)
        case Platform.IRSA:
            return _trust_service_account(trusted, place)
        case Platform.POD_IDENTITY:
            return _trust_pod(trusted, place)
        case Platform.GITHUB:
            subject = _demand(trusted.subject, "--subject repo:OWNER/REPOSITORY:environment:NAME")
            pattern = r"repo:[\w.-]+/[\w.-]+:[^\s*]+"
            check_name("--subject", subject, pattern, "one branch or environment of one repository")
            names = {f"{_GITHUB}:aud": "sts.amazonaws.com", f"{_GITHUB}:sub": subject}
            return _allow(_federate(place, _GITHUB), _ASSUME_BY_IDENTITY, {"StringEquals": names})
        case Platform.ACCOUNT:
            principal = _demand(trusted.principal, "--principal ARN of the worker's own role")
            pattern = r"arn:[\w-]+:iam::\d{12}:role/\S+"
            check_name("--principal", principal, pattern, "the ARN of one role, not of an account")
            secret = _demand(trusted.external_id, "--external-id, as workers.yaml has it")
            condition = {"StringEquals": {"sts:ExternalId": secret}}
            taking = _allow({"AWS": principal}, _ASSUME, condition)["Statement"]
            # The tags of a session are a request of their own, which no external id goes with.
            tagging = _allow({"AWS": principal}, "sts:TagSession")["Statement"]
            return make_document([*taking, *tagging])


def _trust_service_account(trusted: Trusted, place: Place) -> Document:
    issuer = _demand(trusted.issuer, "--issuer, by aws eks describe-cluster").removeprefix(
        "https://"
    )
    names = {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": f"system:serviceaccount:{':'.join(_split_account(trusted))}",
    }
    return _allow(_federate(place, issuer), _ASSUME_BY_IDENTITY, {"StringEquals": names})


def _trust_pod(trusted: Trusted, place: Place) -> Document:
    namespace, name = _split_account(trusted)
    cluster = _demand(trusted.cluster, "--cluster NAME")
    condition = {
        "StringEquals": {
            "aws:SourceAccount": place.account,
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": name,
        },
        "ArnEquals": {"aws:SourceArn": place.arn("eks", f"cluster/{cluster}")},
    }
    return _allow({"Service": "pods.eks.amazonaws.com"}, _ASSUME_TAGGED, condition)


def _split_account(trusted: Trusted) -> tuple[str, str]:
    given = _demand(trusted.service_account, "--service-account NAMESPACE/NAME")
    check_name("--service-account", given, r"[a-z0-9.x-]+/[a-z0-9.x-]+", "NAMESPACE/NAME")
    namespace, _, name = given.partition("/")
    return namespace, name


def _federate(place: Place, issuer: str) -> dict[str, str]:
    provider = place.arn("iam", f"oidc-provider/{issuer}", is_regional=False)
    return {"Federated": provider}


def _demand(value: str | None, flag: str) -> str:
    if not value:
        raise ResourceNameError(f"this platform needs {flag}")
    return value


def _allow(
    principal: dict[str, str], action: str | list[str], condition: dict[str, Any] | None = None
) -> Document:
    conditions = {"Condition": condition} if condition else {}
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **conditions}
    return make_document([statement])
