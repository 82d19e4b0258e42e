"""What lies on the phone: for how long, which token opens the service, and nothing of it in clear."""

from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser
from support.chromium import CHROMIUM, FLAGS
from support.handset import SETTINGS, SIGNPOSTED, Handset, code_for, watch
from support.phones import DAY, Crew, now
from uuid_utils.compat import uuid7

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def test_received_entries_leave_after_a_fortnight_and_incidents_unheard_of_after_a_week(
    phone: Handset, crew: Crew
) -> None:
    await crew.officer.tell("officer", uuid7(), area="bedford", occurred_at=now())
    await phone.enrol("officer")
    await phone.record("outcome", **SIGNPOSTED)
    await phone.sync()
    assert len(await phone.rows("officer", "incidents")) == 2
    later = """(days) => Promise.all([import('/app/clock.js'), import('/app/sync.js'), import('/app/state.js')])
      .then(([clock, sync, state]) => {
        clock.setOffset(days * 86_400_000);
        return sync.expire(state.account());
      })"""
    await phone.run(later, 6)
    assert len(await phone.rows("officer", "incidents")) == 1  # the other one was closed, and 72 hours are over
    await phone.run(later, 8)
    assert (await phone.rows("officer", "incidents"), await phone.states("officer")) == ([], ["received"])
    await phone.run(later, 15)
    assert await phone.states("officer") == []


async def test_a_token_is_renewed_after_a_week_and_is_on_disk_before_its_first_use(phone: Handset) -> None:
    await phone.enrol("officer")
    first = await phone.token()
    await phone.put_meta("tokenAt", (now() - 8 * DAY).timestamp() * 1000)
    await phone.sync()
    renewed = await phone.token()
    assert renewed != first
    await phone.lock()
    await phone.unlock("officer")
    await phone.record("outcome", **SIGNPOSTED)
    await phone.sync()
    assert await phone.token() == renewed and await phone.states("officer") == ["received"]


async def test_a_token_that_is_not_known_any_more_loses_nothing(phone: Handset, crew: Crew) -> None:
    await phone.enrol("officer")
    await phone.new_incident()
    await phone.fill({"area": "bedford"})
    await phone.tap("Later")
    await phone.at_home()
    device = await phone.run("import('/app/state.js').then(({account}) => account().profile.device)")
    await crew.fetch(
        "UPDATE token SET used_at = now() - interval '31 days' WHERE team_id = $1 AND device_id = $2 RETURNING 1",
        UUID(device),
    )
    # no process remembers the phone, as none does after 31 days
    await crew.fetch("UPDATE staff SET stamp = stamp + 1 WHERE team_id = $1 RETURNING 1")
    await phone.sync()
    assert "Sign this phone in again" in await phone.status()
    await phone.page.locator("#status").get_by_role("button").first.tap()
    await phone.tap("Enter a new code")
    await phone.page.get_by_label("Code").fill(await code_for(crew, "officer"))
    await phone.tap("Sign in")
    await phone.heading("officer")
    await phone.page.get_by_role("button", name="Record of contact").wait_for()  # the draft is there still
    await phone.sync()


async def test_what_one_types_or_records_lies_nowhere_on_disk_in_clear(
    chromium: Browser, address: str, crew: Crew, tmp_path: Any
) -> None:
    context = await chromium.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS, base_url=address, **SETTINGS
    )
    page = context.pages[0]
    phone = Handset(crew, context, page)
    watch(phone, page)
    await phone.start()
    await phone.enrol("nurse")
    await phone.record("nurse", note="ZZNOTEZZ calm", log_ref="LOGZZ7", s136_justified="cannot_say")
    token = await phone.token()
    await phone.sync()
    await phone.record("nurse", note="YYNOTEYY waits", hold=240_000)
    await context.close()
    files = [file.read_bytes() for file in (tmp_path / "profile").rglob("*") if file.is_file()]
    for secret in ("ZZNOTEZZ", "YYNOTEYY", "LOGZZ7", token):
        for encoded in (secret.encode(), secret.encode("utf-16-le")):
            assert not any(encoded in content for content in files), secret
    assert any(
        str(crew.nurse.staff_id).encode() in content or str(crew.nurse.staff_id).encode("utf-16-le") in content
        for content in files
    )
