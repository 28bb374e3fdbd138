"""The job as one does it with Intercom's own SDK, one thing after the other: look at each, then write what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx
from intercom import Intercom, SingleFilterSearchRequest

from reconciler.sandbox.app import Sandbox

# What each one lacks, by its external_id: names of tags.
Wanted = Iterable[tuple[str, list[str]]]
# An id in Intercom, and those of the tags that it lacks.
Lacks = list[tuple[str, list[str]]]


@contextmanager
def official_sdk(box: Sandbox) -> Iterator[Intercom]:
    """Intercom's SDK, to which this sandbox is Intercom."""
    with httpx.Client(transport=httpx.WSGITransport(app=box)) as client:
        yield Intercom(token=box.token, headers={"Intercom-Version": "2.16"}, httpx_client=client)


def look(sdk: Intercom, contacts: Wanted, companies: Iterable[str]) -> Lacks:
    """What each contact lacks. The tags are listed, each company is read, each contact is searched, and its tags are listed."""
    ids = {tag.name: str(tag.id) for tag in sdk.tags.list().data}
    for company_id in companies:
        sdk.companies.retrieve(company_id=company_id)
    lacks: Lacks = []
    for external_id, names in contacts:
        query = SingleFilterSearchRequest(field="external_id", operator="=", value=external_id)
        (contact,) = sdk.contacts.search(query=query)
        held = {str(tag.id) for tag in sdk.contacts.list_attached_tags(str(contact.id)).data}
        lacks.append((str(contact.id), [ids[name] for name in names if ids[name] not in held]))
    return lacks


def write(sdk: Intercom, lacks: Lacks) -> None:
    """One call for each link."""
    for contact_id, tags in lacks:
        for tag_id in tags:
            sdk.tags.tag_contact(contact_id, tag_id=tag_id)
