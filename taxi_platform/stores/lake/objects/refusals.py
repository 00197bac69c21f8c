"""What an object store's refusal means: reads status, code and message from an error, and makes a sentence of them.

Belongs here: the words of Amazon's, Google's and Azure's stores, and the advice for each. Does not: whether a retry
makes sense (``transience``), and the requests (``cloud``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape

from taxi_platform.transience import Failure, of_exception, of_http

__all__ = ["Refusal", "is_refusal"]

_STATUS = re.compile(r"status code: (?P<status>\d{3})(?P<reason>[^:\n]*): ?(?P<body>.*)", re.DOTALL)
_ERROR_IN_SUCCESS = re.compile(r"Server returned error response: (?P<body>.*)", re.DOTALL)
_DELETION = re.compile(r"DeleteObjects request failed for key .*?: (?P<message>.*) \(code: (?P<code>\w+)\)")
_DEBUG = "\n\nDebug source:"
_SILENT = re.compile(r"kind: Timeout|TimedOut|timed out", re.IGNORECASE)
_CERTIFICATE = re.compile(r"certificate|UnknownIssuer", re.IGNORECASE)
_MISSING_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|specified (bucket|container) does not exist")
_PROVIDER = re.compile(r"credential provider: (?P<kind>\w+): (?P<message>.*)", re.DOTALL)
_UNREACHED_PROVIDER = re.compile(r"credential provider: (TransportError|ConnectionError|ConnectTimeout|ReadTimeout)\b")
_NOT_OBJECTS = ("NoSuchUpload",)
_BARE_REDIRECT = "redirect without LOCATION"

_CREDENTIALS = {
    "gs": "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS",
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or run where an identity is attached",
}
_ROLES = {
    "gs": "roles/storage.objectUser on the bucket",
    "s3": "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket",
    "az": "the role Storage Blob Data Contributor on the container",
}
_REGION = {
    "gs": "check GOOGLE_BASE_URL",
    "s3": "set AWS_REGION to the bucket's region (and AWS_ENDPOINT_URL, if set, to its address)",
    "az": "check AZURE_STORAGE_ENDPOINT",
}

_WRONG_KEY = "the credentials are wrong: {credentials}"
_EXPIRED = "the session token has expired: get new credentials, or {credentials}"
_CLOCK = "this machine's clock differs from the store's by more than a quarter of an hour: set it"
_ARCHIVED = "the object is archived: restore it, and keep the lake's objects out of rules that archive"
_RETAINED = "the object is held by a retention rule, a hold or a lease of the bucket: keep those away from the lake"
_BILLING = "the account is disabled, or has no billing: settle it with the provider"
_FULL = "the store is full, or a quota of it is: free space or raise the quota"
_ELSEWHERE = "the bucket is in another region, or at another address: {region}"

_SENTENCES = {
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "InvalidSecurity"), _WRONG_KEY),
    # Azure has one code for a wrong key and a wrong clock; only its message says which.
    "AuthenticationFailed": "the account's key is wrong, or this machine's clock is: {credentials}",
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), _CLOCK),
    **dict.fromkeys(("InvalidObjectState", "BlobArchived", "BlobBeingRehydrated", "BlobNotArchived"), _ARCHIVED),
    **dict.fromkeys(
        (
            "ObjectUnderActiveHold",
            "RetentionPolicyNotMet",
            "BlobImmutableDueToPolicy",
            "BlobImmutableDueToLegalHold",
            "LeaseIdMissing",
            "LeaseIdMismatchWithBlobOperation",
            "ObjectLocked",
        ),
        _RETAINED,
    ),
    **dict.fromkeys(
        (
            "AccountProblem",
            "UserProjectAccountProblem",
            "AccountIsDisabled",
            "AllAccessDisabled",
            "NotSignedUp",
            "accountDisabled",
            "BillingDisabled",
            "billingDisabled",
        ),
        _BILLING,
    ),
    **dict.fromkeys(("QuotaExceeded", "InsufficientAccountPermissionsQuota", "XMinioStorageFull"), _FULL),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "IncorrectEndpoint",
        ),
        _ELSEWHERE,
    ),
}
_NOT_IMPLEMENTED = {
    "write": (
        "the store has no writes or copies on condition, which keep the versions of writers at once: take a store that "
        "has them, or, where only copies lack them, set AWS_COPY_IF_NOT_EXISTS=multipart"
    ),
    "remove": "the store cannot delete several objects in one request: set AWS_DISABLE_BULK_DELETE=true",
}


@dataclass(frozen=True)
class Refusal:
    """What one failed request to an object store reported."""

    error: BaseException
    status: int | None = None
    reason: str = ""
    """The status with its words."""
    code: str = ""
    """The store's own code, such as ``SlowDown``; empty if it gave none."""
    message: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Refusal:
        """Read an error of obstore, of the network or of the search for credentials."""
        answer = getattr(error, "response", None)
        if answer is not None:  # of requests
            code, message = _code_and_message(answer.text)
            return cls(error, answer.status_code, str(answer.reason or ""), code, message)
        text = str(error).partition(_DEBUG)[0].strip()
        if found := _STATUS.search(text):
            code, message = _code_and_message(found["body"])
            return cls(error, int(found["status"]), found["reason"].strip(), code, message)
        if found := _ERROR_IN_SUCCESS.search(text):
            return cls(error, None, "", *_code_and_message(found["body"]))
        if found := _DELETION.search(text):
            return cls(error, None, "", found["code"], found["message"])
        provided = _PROVIDER.search(text)
        return cls(error, message=_first_line(provided["message"] if provided else text.rpartition(" - ")[2]))

    @property
    def failure(self) -> Failure:
        """Whether a retry makes sense."""
        if self.status is not None or self.code:
            return of_http(self.status, [self.code] if self.code else [], self.message)
        text = str(self.error)
        if _CERTIFICATE.search(text):
            return Failure.PERMANENT
        if _UNREACHED_PROVIDER.search(text) or "HTTP error" in text or "request or response body" in text:
            return Failure.TRANSIENT
        if getattr(self.error, "retryable", False):  # of google.auth
            return Failure.TRANSIENT
        return of_exception(self.error)

    @property
    def is_silence(self) -> bool:
        """Whether the request ended because no byte came or went for too long."""
        return self.status is None and _SILENT.search(str(self.error)) is not None

    @property
    def is_absent(self) -> bool:
        """Whether the object does not exist, in a bucket that exists as far as the answer says."""
        return isinstance(self.error, FileNotFoundError) and not (self.is_missing_bucket or self.code in _NOT_OBJECTS)

    @property
    def is_missing_bucket(self) -> bool:
        """Whether a "not found" is about the bucket and not the object; the answer to a HEAD request does not say."""
        return _MISSING_BUCKET.search(str(self.error)) is not None

    def sentence(self, scheme: str, bucket: str, verb: str) -> str:
        """Half a sentence: what the refusal means, what to do about it, and the store's own reason."""
        if self.is_missing_bucket:
            return f"there is no bucket {bucket}: create it, or set TAXI_LAKE to one that exists"
        explained = self._explained(scheme, verb)
        if explained:
            before, colon, after = explained.partition(": ")
            return f"{before}{self._quoted}{colon}{after}"
        if self.status is not None or self.code:
            return f"the store answered {self._named}" + (f": {self.message}" if self.message else "")
        return f"no answer ({self._trouble}): check the address and the network, then run it again"

    def _explained(self, scheme: str, verb: str) -> str:
        """A sentence for a known refusal, to be followed by a colon and the store's own words."""
        words = {"credentials": _CREDENTIALS[scheme], "region": _REGION[scheme]}
        text = str(self.error)
        if self.code in _SENTENCES:
            return _SENTENCES[self.code].format(**words)
        if _BARE_REDIRECT in text or self.status in (301, 307):
            return _ELSEWHERE.format(**words)
        if self.status == 501 or self.code == "NotImplemented":
            return _NOT_IMPLEMENTED.get(verb, "the store does not know this request: take another store")
        if self.status == 401 or _PROVIDER.search(text) or type(self.error).__module__.startswith("google.auth"):
            return "no valid credentials: {credentials}".format(**words)
        if self.status == 403 or self.code == "AccessDenied":
            return f"permission denied: these credentials need {_ROLES[scheme]}"
        if self.status == 507:
            return _FULL
        if _CERTIFICATE.search(text):
            return "the store's certificate is not trusted: check the address, or set SSL_CERT_FILE to the authority's"
        return ""

    @property
    def _quoted(self) -> str:
        own = ": ".join(part for part in (self.code, self.message) if part)
        return f" ({own})" if own else f" (status {self.status})" if self.status else ""

    @property
    def _named(self) -> str:
        status = " ".join(part for part in (str(self.status or ""), self.reason) if part)
        return f"{status} {self.code}".strip() if self.code not in self.reason.replace(" ", "") else status

    @property
    def _trouble(self) -> str:
        """The innermost text of a failed connection, which says best what happened."""
        if self.is_silence:
            return "the store is silent"
        inner = re.findall(r'message: "([^"]+)"|failed to lookup address information: ([^"\n]+)', str(self.error))
        return next((text for found in reversed(inner) for text in found if text), self.message or "no reason given")


def is_refusal(error: BaseException) -> bool:
    """Whether the error is a refusal of a store, the network or the credentials, and not a mistake in this code."""
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError | OSError) or type(error).__module__.startswith("google.auth.")


def _code_and_message(body: str) -> tuple[str, str]:
    """Code and message in XML (all three clouds) or JSON (Google); the first line of any other page."""
    if code := re.search(r"<Code>\s*(.*?)\s*</Code>", body, re.DOTALL):
        details = [
            found[1]
            for name in ("Message", "Details", "AuthenticationErrorDetail")
            if (found := re.search(rf"<{name}>\s*(.*?)\s*</{name}>", body, re.DOTALL))
        ]
        message = next((text for text in reversed(details[:1] + details[1:]) if text), "")
        return unescape(code[1]), _first_line(unescape(message))
    try:
        told = json.loads(body)["error"]
        errors = told.get("errors") or [{}]
        return str(errors[0].get("reason", "")), _first_line(str(told.get("message", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", _first_line(body) if body.strip() and "<" not in body else ""


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else line[:199] + "…"
