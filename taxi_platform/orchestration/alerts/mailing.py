"""An alert as an e-mail over SMTP.

Belongs here: one delivery and the meaning of the server's answer. Does not: the message (``message``) and retrying
(``channels``). A password never travels unencrypted: without TLS the delivery is refused here.
"""

from __future__ import annotations

import contextlib
import logging
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from taxi_platform.orchestration.alerts.undelivered import NotDeliveredError

if TYPE_CHECKING:
    import smtplib

__all__ = ["send_mail"]

_LOG = logging.getLogger(__name__)
_PORTS = {"smtp": 587, "smtps": 465}


def send_mail(address: SecretStr, message: EmailMessage, timeout: float) -> None:
    """Give the message to the server: ``smtps`` uses TLS from the start, ``smtp`` uses STARTTLS if it is offered.

    Raises:
        NotDeliveredError: the server did not take it, or would have seen the password unencrypted.
    """
    import smtplib
    import ssl

    parts = urlsplit(address.get_secret_value())
    server = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    try:
        client = _connected(parts, timeout)
        try:
            refused = client.send_message(message)
        finally:
            _leave(client)
    except NotDeliveredError:
        raise
    except smtplib.SMTPAuthenticationError as error:
        raise NotDeliveredError(
            f"{server} refused the user or password ({error.smtp_code})", may_pass=error.smtp_code < 500
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise NotDeliveredError(
            f"{server} refused every receiver ({', '.join(map(str, codes))})", may_pass=max(codes) < 500
        ) from None
    except smtplib.SMTPResponseException as error:
        raise NotDeliveredError(
            f"{server} refused the message ({error.smtp_code})", may_pass=error.smtp_code < 500
        ) from None
    except ssl.SSLCertVerificationError:
        raise NotDeliveredError(f"the TLS certificate of {server} cannot be trusted", may_pass=False) from None
    except TimeoutError:
        raise NotDeliveredError(f"{server} did not answer within {timeout:g} seconds", may_pass=True) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDeliveredError(f"{server} cannot be talked to ({type(error).__name__})", may_pass=True) from None
    if refused:
        _LOG.warning("%s took the alert for some receivers and refused %d", server, len(refused))


def _leave(client: smtplib.SMTP) -> None:
    """End the session; if the server does not answer to that, it has the message nevertheless."""
    import smtplib

    with contextlib.suppress(smtplib.SMTPException, OSError):
        client.quit()
    client.close()


def _connected(parts: SplitResult, timeout: float) -> smtplib.SMTP:
    """A client, encrypted if possible, and logged in if the address names a user."""
    import smtplib
    import ssl

    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if parts.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        client = smtplib.SMTP(host, port, timeout=timeout)
    try:
        client.ehlo_or_helo_if_needed()
        encrypted = parts.scheme == "smtps"
        if not encrypted and client.has_extn("starttls"):
            client.starttls(context=ssl.create_default_context())
            encrypted = True
        if parts.username:
            _log_in(client, parts, encrypted=encrypted)
    except BaseException:
        client.close()
        raise
    return client


def _log_in(client: smtplib.SMTP, parts: SplitResult, *, encrypted: bool) -> None:
    if not encrypted:
        raise NotDeliveredError(
            f"{parts.hostname} offers no STARTTLS, and a password does not travel unencrypted: use smtps://",
            may_pass=False,
        )
    client.login(unquote(parts.username or ""), unquote(parts.password or ""))
