"""Looking and fetching over http against a real server, on its good and its bad days."""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import trustme

from taxi_platform.errors import (
    MonthNotPublishedError,
    PermanentError,
    StoreError,
    UpstreamChangedError,
    UpstreamUnavailableError,
)
from taxi_platform.months import TripMonth
from taxi_platform.sources import RetryPolicy, Source, Version, open_source
from taxi_platform.sources.progress import Progress
from taxi_platform_tests.sources.conftest import AT_ONCE, MONTH, MONTH_PATH, files_no_larger_than
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

ABSENT = TripMonth("green", date(2020, 4, 1))


def dtc(upstream: Upstream, retry: RetryPolicy = AT_ONCE) -> Source:
    return open_source("dtc", upstream.url, retry=retry)


def look(source: Source) -> Version:
    version = source.stat(MONTH)
    assert version is not None
    return version


def assert_fetches_whole(source: Source, upstream: Upstream, directory: Path) -> None:
    content = (upstream.folder / MONTH_PATH).read_bytes()
    download = source.fetch(MONTH, look(source), directory)
    assert download.file.read_bytes() == content
    assert download.size == len(content)
    assert download.sha256 == hashlib.sha256(content).hexdigest()


def assert_left_nothing(directory: Path) -> None:
    assert list(directory.iterdir()) == []


def test_a_version_is_the_etag_and_costs_one_head(upstream: Upstream) -> None:
    version = look(dtc(upstream))
    assert version.token == version.etag
    assert version.url == f"{upstream.url}/{MONTH_PATH}"
    assert version.size == (upstream.folder / MONTH_PATH).stat().st_size
    assert [request.method for request in upstream.requests] == ["HEAD"]


def test_a_changed_file_has_another_token_and_an_equal_one_the_same(upstream: Upstream) -> None:
    source = dtc(upstream)
    first = look(source)
    assert look(source).token == first.token
    (upstream.folder / MONTH_PATH).write_bytes(b"another file")
    assert look(source).token != first.token


def test_a_weak_etag_is_a_version_as_it_is(upstream: Upstream, tmp_path: Path) -> None:
    upstream.etags = "weak"
    assert look(dtc(upstream)).token.startswith('W/"')
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)


def test_without_an_etag_size_and_last_modified_tell_versions_apart(upstream: Upstream, tmp_path: Path) -> None:
    upstream.etags = "none"
    source, file = dtc(upstream), upstream.folder / MONTH_PATH
    first = look(source)
    assert first.etag is None
    assert look(source).token == first.token
    os.utime(file, (1_600_000_000, 1_600_000_000))
    moved = look(source).token
    assert moved != first.token
    file.write_bytes(file.read_bytes() + b"\0")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    assert look(source).token != moved
    assert_fetches_whole(source, upstream, tmp_path)


def test_a_server_that_tells_no_versions_apart_is_never_taken_for_unchanged(upstream: Upstream, tmp_path: Path) -> None:
    upstream.etags, upstream.has_last_modified = "none", False
    source = dtc(upstream)
    assert look(source).token != look(source).token
    assert_fetches_whole(source, upstream, tmp_path)


def test_head_refused_falls_back_to_a_get_without_its_body(upstream: Upstream) -> None:
    allowed = look(dtc(upstream))
    upstream.allows_head = False
    assert look(dtc(upstream)) == allowed
    assert dtc(upstream).stat(ABSENT) is None


def test_a_chunked_body_without_a_length_arrives_whole(upstream: Upstream, tmp_path: Path) -> None:
    upstream.has_lengths = False
    assert look(dtc(upstream)).size is None
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)


def test_a_chunked_body_that_breaks_off_is_not_taken_for_whole(upstream: Upstream, tmp_path: Path) -> None:
    upstream.has_lengths = upstream.has_ranges = False
    upstream.fail(MONTH_PATH, Fault.short_body(10), method="GET")
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)


def test_a_missing_month_is_none_on_404(upstream: Upstream) -> None:
    assert dtc(upstream).stat(ABSENT) is None


def test_a_missing_month_is_none_on_403_of_the_tlc_layout(upstream: Upstream) -> None:
    upstream.fail("trip-data/green_tripdata_2020-04.parquet", Fault.status(403))
    assert open_source("tlc", upstream.url, retry=AT_ONCE).stat(ABSENT) is None


def test_a_403_of_the_dtc_layout_is_an_error_that_is_not_tried_again(upstream: Upstream) -> None:
    upstream.fail(MONTH_PATH, Fault.status(403), times=9)
    with pytest.raises(PermanentError, match=r"green_tripdata_2020-03\.csv\.gz answered with status 403"):
        dtc(upstream).stat(MONTH)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_passing_error_status_is_tried_again(upstream: Upstream, tmp_path: Path, code: int) -> None:
    upstream.fail(MONTH_PATH, Fault.status(code, Retry_After="0"), method="HEAD")
    upstream.fail(MONTH_PATH, Fault.status(code), times=2, method="GET")
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)
    assert (upstream.count("HEAD"), upstream.count("GET")) == (2, 3)


def test_a_lasting_500_names_address_and_reason_after_the_last_attempt(upstream: Upstream, tmp_path: Path) -> None:
    source = dtc(upstream)
    version = look(source)
    upstream.fail(MONTH_PATH, Fault.status(500), times=99)
    sentence = rf"{version.url} could not be read in 3 attempts, .* status 500"
    with pytest.raises(UpstreamUnavailableError, match=sentence):
        source.stat(MONTH)
    with pytest.raises(UpstreamUnavailableError, match=sentence):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")
    assert (upstream.count("HEAD"), upstream.count("GET")) == (4, 3)


def test_a_file_gone_since_the_look_is_not_published(upstream: Upstream, tmp_path: Path) -> None:
    version = look(dtc(upstream))
    (upstream.folder / MONTH_PATH).unlink()
    with pytest.raises(MonthNotPublishedError, match="is gone"):
        dtc(upstream).fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_a_reset_half_way_ends_in_the_whole_file(upstream: Upstream, tmp_path: Path) -> None:
    upstream.fail(MONTH_PATH, Fault.reset(2_500_000), Fault.reset(100), method="GET")
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)
    assert upstream.count("GET") == 3


def test_a_transfer_that_breaks_off_is_resumed_there(upstream: Upstream, tmp_path: Path) -> None:
    upstream.fail(MONTH_PATH, Fault.short_body(1000), method="GET")
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)
    first, second = (request for request in upstream.requests if request.method == "GET")
    assert first.range is None
    assert second.range is not None
    assert int(second.range.removeprefix("bytes=").removesuffix("-")) > 2_000_000


@pytest.mark.parametrize(("etags", "has_ranges"), [("strong", False), ("weak", True), ("none", True)])
def test_a_transfer_that_breaks_off_starts_over_where_resuming_is_not_safe(
    upstream: Upstream, tmp_path: Path, etags: str, has_ranges: bool
) -> None:
    upstream.etags, upstream.has_ranges = etags, has_ranges  # type: ignore[assignment]  # a parameter's text
    upstream.fail(MONTH_PATH, Fault.short_body(1000), method="GET")
    assert_fetches_whole(dtc(upstream), upstream, tmp_path)
    assert upstream.count("GET") == 2


def test_a_body_that_stays_short_is_never_taken_for_whole(upstream: Upstream, tmp_path: Path) -> None:
    upstream.has_ranges = False
    source = dtc(upstream)
    version = look(source)
    upstream.fail(MONTH_PATH, Fault.short_body(1000), times=99, method="GET")
    with pytest.raises(UpstreamChangedError, match="fewer bytes"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


@pytest.mark.parametrize("more", [1000, -1000])
def test_a_length_that_contradicts_the_look_is_a_change(upstream: Upstream, tmp_path: Path, more: int) -> None:
    source = dtc(upstream)
    version = look(source)
    upstream.fail(MONTH_PATH, Fault.announce(more), method="GET")
    with pytest.raises(UpstreamChangedError, match="bytes when it was looked at"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_a_version_that_changed_since_the_look_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    source, file = dtc(upstream), upstream.folder / MONTH_PATH
    version = look(source)
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(UpstreamChangedError, match="changed while it was fetched"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_a_version_that_changes_between_two_attempts_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    """The resumed half of another file must not be joined to the first half of this one."""
    file = upstream.folder / MONTH_PATH
    original = file.read_bytes()
    source = dtc(upstream)
    version = look(source)
    upstream.fail(MONTH_PATH, Fault.short_body(1000), method="GET")
    upstream.on_fault = lambda: file.write_bytes(original[::-1])
    with pytest.raises(UpstreamChangedError):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_silence_is_a_time_out_and_tried_again(upstream: Upstream, tmp_path: Path) -> None:
    impatient = replace(AT_ONCE, read_timeout=1)
    upstream.fail(MONTH_PATH, Fault.slow(30), method="HEAD")
    upstream.fail(MONTH_PATH, Fault.slow(30), method="GET")
    assert_fetches_whole(dtc(upstream, impatient), upstream, tmp_path)


def test_nobody_listening_names_the_address(upstream: Upstream) -> None:
    source = open_source("dtc", "http://127.0.0.1:9", retry=AT_ONCE)
    with pytest.raises(UpstreamUnavailableError, match=r"http://127\.0\.0\.1:9/green/.*[Cc]onnection"):
        source.stat(MONTH)


def test_a_download_is_private_and_keeps_the_suffix(upstream: Upstream, tmp_path: Path) -> None:
    download = dtc(upstream).fetch(MONTH, look(dtc(upstream)), tmp_path / "not" / "there" / "yet")
    assert stat.S_IMODE(download.file.stat().st_mode) == 0o600
    assert download.file.name.endswith(".csv.gz")
    assert not download.is_parquet


def test_a_full_disk_is_one_sentence_and_leaves_nothing(upstream: Upstream, tmp_path: Path) -> None:
    source = dtc(upstream)
    version = look(source)
    with files_no_larger_than(64 * 1024), pytest.raises(StoreError, match="no room is left"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_an_absent_zone_lookup_is_not_published(upstream: Upstream) -> None:
    (upstream.folder / "misc/taxi_zone_lookup.csv").unlink()
    with pytest.raises(MonthNotPublishedError, match="taxi_zone_lookup"):
        dtc(upstream).stat_zones()


def test_zones_are_fetched_like_a_month(upstream: Upstream, tmp_path: Path) -> None:
    source = dtc(upstream)
    download = source.fetch_zones(source.stat_zones(), tmp_path)
    assert download.file.read_bytes() == (upstream.folder / "misc/taxi_zone_lookup.csv").read_bytes()


def test_a_redirect_is_followed_and_the_address_stays_the_stable_one(upstream: Upstream, tmp_path: Path) -> None:
    """Release files redirect to addresses that expire."""
    (upstream.folder / "elsewhere").mkdir()
    (upstream.folder / MONTH_PATH).rename(upstream.folder / "elsewhere" / "blob")
    upstream.fail(MONTH_PATH, Fault.status(302, Location="/elsewhere/blob?expires=soon"), times=2)
    source = dtc(upstream)
    version = look(source)
    assert version.url == f"{upstream.url}/{MONTH_PATH}"
    download = source.fetch(MONTH, version, tmp_path / "staging")
    assert download.file.read_bytes() == (upstream.folder / "elsewhere" / "blob").read_bytes()


def test_a_wait_that_upstream_asks_for_is_kept_within_bounds(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.fail(MONTH_PATH, Fault.status(429, Retry_After="3600"))
    look(dtc(upstream, replace(AT_ONCE, longest_wait=0.2)))
    assert "status 429 Too Many Requests; trying again in 0.2 s" in caplog.text


def test_a_page_encoded_against_the_request_is_refused(upstream: Upstream) -> None:
    upstream.fail("trip-data/green_tripdata_2020-03.parquet", Fault.status(200, Content_Encoding="br"))
    with pytest.raises(PermanentError, match="came encoded as br"):
        open_source("tlc", upstream.url, retry=AT_ONCE).stat(MONTH)


def test_a_body_whose_end_nothing_tells_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    upstream.has_lengths = False
    source = dtc(upstream)
    version = look(source)
    upstream.closes_bodies = True
    with pytest.raises(PermanentError, match="comes without a length"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert_left_nothing(tmp_path / "staging")


def test_a_long_transfer_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress("month.csv.gz", 4_000_000, every=0)
    progress.at(1_000_000)
    assert "month.csv.gz: 1.0 of 4.0 MB (25%)" in caplog.text
    Progress("other.csv.gz", None, every=0).at(2_000_000)
    assert "other.csv.gz: 2.0 MB, " in caplog.text


def test_a_certificate_that_nobody_vouches_for_is_a_sentence_and_no_reason_to_wait(published: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    never_again = replace(AT_ONCE, first_wait=99, longest_wait=99)
    with serve(published, tls=context) as upstream:
        with pytest.raises(
            PermanentError, match=r"^the certificate of https://127.* is not trusted: check TAXI_SOURCE"
        ):
            dtc(upstream, never_again).stat(MONTH)
        assert upstream.requests == []


def test_nobody_is_led_from_an_encrypted_address_to_one_that_is_not(
    published: Path, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with serve(published, tls=context) as encrypted:
        assert look(dtc(encrypted)).size
        encrypted.fail(MONTH_PATH, Fault.status(302, Location=f"{upstream.url}/{MONTH_PATH}"))
        with pytest.raises(PermanentError, match=r"leads to http://127\.0\.0\.1, which is not encrypted"):
            dtc(encrypted).stat(MONTH)
        assert upstream.requests == []


def test_a_chain_of_redirects_without_end_is_refused(upstream: Upstream) -> None:
    upstream.fail(MONTH_PATH, Fault.status(302, Location=f"/{MONTH_PATH}"), times=100)
    with pytest.raises(PermanentError, match="cannot be requested: Exceeded 5 redirects"):
        dtc(upstream).stat(MONTH)
    assert len(upstream.requests) == 6
