"""Intercom's official SDK takes the sandbox for Intercom: the nineteen actions, paging, scroll, search, errors, all over HTTP.

What the SDK may expect of Intercom is known from its source (python-intercom 5.0.1, generated from API 2.14).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from intercom import (
    Contact,
    CreateContactRequestWithEmail,
    CreateContactRequestWithExternalId,
    CreateContactRequestWithRole,
    CreateOrUpdateCompanyRequest,
    CreateOrUpdateTagRequest,
    Intercom,
    MultipleFilterSearchRequest,
    SingleFilterSearchRequest,
    StartingAfterPaging,
    TagCompanyRequest,
    TagMultipleUsersRequest,
    UpdateCompanyRequestBody,
)
from intercom.core import ApiError
from intercom.errors import BadRequestError, NotFoundError, UnauthorizedError, UnprocessableEntityError
from intercom.types import TagCompanyRequestCompaniesItem, TagMultipleUsersRequestUsersItem

from reconciler.sandbox.app import Sandbox
from tests.desk.soak import SOAKS
from tests.referee.conftest import MakeSdk

Raw = Callable[..., httpx.Response]
NOBODY = "0" * 24
# More than two pages of any list.
MANY = 1000 if SOAKS else 330


def a_contact(sdk: Intercom, external_id: str = "25") -> str:
    return str(sdk.contacts.create(request=CreateContactRequestWithExternalId(external_id=external_id)).id)


def a_company(sdk: Intercom, company_id: str = "6") -> str:
    return str(sdk.companies.create_or_update(request=CreateOrUpdateCompanyRequest(company_id=company_id, name="Blue Sun")).id)


def a_tag(sdk: Intercom, name: str = "VIP") -> str:
    return str(sdk.tags.create(request=CreateOrUpdateTagRequest(name=name)).id)


def code_of(error: ApiError) -> str:
    """Of Intercom's error list, which the SDK hands on as a model or as it came, by call and status."""
    body = error.body if isinstance(error.body, dict) else error.body.model_dump()
    assert body["type"] == "error.list"
    return str(body["errors"][0]["code"])


# the nineteen actions
def test_01_archive_contact(sdk: Intercom) -> None:
    id = a_contact(sdk)
    archived = sdk.contacts.archive(id)
    assert (archived.id, archived.external_id, archived.archived) == (id, "25", True)
    with pytest.raises(ApiError) as gone:
        sdk.contacts.find(id)
    assert gone.value.status_code == 404


def test_02_unarchive_contact(sdk: Intercom) -> None:
    id = a_contact(sdk)
    sdk.contacts.archive(id)
    back = sdk.contacts.unarchive(id)
    assert (back.id, back.archived, sdk.contacts.find(id).external_id) == (id, False, "25")


def test_03_create_contact(sdk: Intercom) -> None:
    request = CreateContactRequestWithEmail(email="wash@serenity.example", name="Hoban", signed_up_at=1_700_000_000)
    user = sdk.contacts.create(request=request)
    lead = sdk.contacts.create(request=CreateContactRequestWithRole(role="lead"))
    assert (user.role, user.email, user.name, user.signed_up_at) == ("user", "wash@serenity.example", "Hoban", 1_700_000_000)
    assert (lead.role, lead.type, lead.email, lead.custom_attributes) == ("lead", "contact", None, {})


def test_04_update_contact(sdk: Intercom) -> None:
    id = a_contact(sdk)
    changed = sdk.contacts.update(id, name="Zoe", phone="+15551234567", unsubscribed_from_emails=True)
    answer = sdk.contacts.show_contact_by_external_id("25")
    assert (changed.name, changed.phone, changed.unsubscribed_from_emails) == ("Zoe", "+15551234567", True)
    assert (answer.id, answer.name) == (id, "Zoe")


def test_05_delete_contact(sdk: Intercom) -> None:
    id = a_contact(sdk)
    deleted = sdk.contacts.delete(id)
    assert (deleted.id, deleted.external_id, deleted.deleted) == (id, "25", True)
    assert a_contact(sdk) != id


def test_06_search_contacts(sdk: Intercom) -> None:
    a_contact(sdk, "25")
    wanted = a_contact(sdk, "26")
    answer = sdk.contacts.search(query=SingleFilterSearchRequest(field="external_id", operator="=", value="26"))
    assert ([contact.id for contact in answer], answer.response.total_count) == ([wanted], 1)


def test_07_create_company(sdk: Intercom) -> None:
    request = CreateOrUpdateCompanyRequest(company_id="6", name="Blue Sun", plan="plan1", size=85, monthly_spend=49)
    made = sdk.companies.create_or_update(request=request)
    assert (made.type, made.company_id, made.name, made.plan.name) == ("company", "6", "Blue Sun", "plan1")
    assert (made.size, made.monthly_spend, made.user_count, made.session_count, made.website) == (85, 49, 0, 0, None)


def test_08_update_company(sdk: Intercom) -> None:
    id = a_company(sdk)
    changed = sdk.companies.update(id, request=UpdateCompanyRequestBody(name="Red Sun", industry="Manufacturing"))
    assert (changed.id, changed.name, changed.industry) == (id, "Red Sun", "Manufacturing")
    assert a_company(sdk) == id  # the upsert by company_id


def test_09_delete_company(sdk: Intercom) -> None:
    id = a_company(sdk)
    deleted = sdk.companies.delete(id)
    assert (deleted.id, deleted.object, deleted.deleted) == (id, "company", True)
    with pytest.raises(NotFoundError):
        sdk.companies.find(id)


def test_10_list_companies(sdk: Intercom) -> None:
    company, _userless = a_company(sdk, "6"), a_company(sdk, "7")
    sdk.companies.attach_contact(a_contact(sdk), company_id=company)
    assert [item.company_id for item in sdk.companies.list(page=1)] == ["6"]  # a list hides companies without users


def test_11_create_tag(sdk: Intercom) -> None:
    made = sdk.tags.create(request=CreateOrUpdateTagRequest(name="VIP"))
    again = sdk.tags.create(request=CreateOrUpdateTagRequest(name="vip"))
    assert (made.type, made.name, again.id) == ("tag", "VIP", made.id)


def test_12_update_tag(sdk: Intercom) -> None:
    id = a_tag(sdk)
    renamed = sdk.tags.create(request=CreateOrUpdateTagRequest(id=id, name="Champion"))
    assert (renamed.id, renamed.name, sdk.tags.find(id).name) == (id, "Champion", "Champion")


def test_13_delete_tag(sdk: Intercom) -> None:
    id = a_tag(sdk)
    sdk.tags.delete(id)
    with pytest.raises(NotFoundError):
        sdk.tags.find(id)


def test_14_list_tags(sdk: Intercom) -> None:
    a_tag(sdk, "VIP"), a_tag(sdk, "trial")
    listed = sdk.tags.list()
    assert (listed.type, sorted(tag.name for tag in listed.data)) == ("list", ["VIP", "trial"])


def test_15_attach_tag(sdk: Intercom) -> None:
    contact, tag = a_contact(sdk), a_tag(sdk)
    attached = sdk.tags.tag_contact(contact, tag_id=tag)
    assert (attached.id, [item.name for item in sdk.contacts.list_attached_tags(contact).data]) == (tag, ["VIP"])


def test_16_detach_tag(sdk: Intercom) -> None:
    contact, tag = a_contact(sdk), a_tag(sdk)
    sdk.tags.tag_contact(contact, tag_id=tag)
    detached = sdk.tags.untag_contact(contact, tag)
    assert (detached.id, sdk.contacts.list_attached_tags(contact).data) == (tag, [])


def test_17_attach_company(sdk: Intercom) -> None:
    contact, company = a_contact(sdk), a_company(sdk)
    attached = sdk.companies.attach_contact(contact, company_id=company)
    listed = sdk.companies.list_attached_contacts(company)
    assert (attached.id, attached.user_count, [one.id for one in listed.data]) == (company, 1, [contact])
    # The array is `data`, as recorded; the SDK looks for `companies` and finds none (S16 example of GET /contacts/{id}/companies).
    by_contact = sdk.contacts.list_attached_companies(contact)
    assert (by_contact.items, by_contact.response.total_count) == (None, 1)


def test_18_detach_company(sdk: Intercom) -> None:
    contact, company = a_contact(sdk), a_company(sdk)
    sdk.companies.attach_contact(contact, company_id=company)
    detached = sdk.companies.detach_contact(contact, company)
    assert (detached.id, detached.user_count, sdk.companies.list_attached_contacts(company).total_count) == (company, 0, 0)


def test_a_conversation_is_tagged_and_untagged(box: Sandbox, sdk: Intercom) -> None:
    box.seed({"conversations": [{"tags": ["VIP"]}], "tags": ["trial"]})
    (trial, vip), admin = (str(tag.id) for tag in sdk.tags.list().data), str(sdk.admins.identify().id)
    query = SingleFilterSearchRequest(field="tag_ids", operator="=", value=vip)
    (conversation,) = (str(found.id) for found in sdk.conversations.search(query=query))
    assert sdk.tags.tag_conversation(conversation, tag_id=trial, admin_id=admin).id == trial
    assert sdk.tags.untag_conversation(conversation, vip, admin_id=admin).id == vip
    assert [tag.name for tag in sdk.conversations.find(conversation).tags.tags] == ["trial"]
    assert list(sdk.conversations.search(query=query)) == []


def test_19_raw_request(raw: Raw) -> None:
    answered = raw("GET", "me")
    assert (answered.status_code, answered.json()["type"], answered.json()["app"]["region"]) == (200, "admin", "US")
    assert int(answered.headers["X-RateLimit-Remaining"]) < int(answered.headers["X-RateLimit-Limit"])


def test_oauth_exchange_gives_a_token_that_works(raw: Raw, make_sdk: MakeSdk) -> None:
    sent_back = raw("GET", "oauth", params={"client_id": "c1", "state": "xyz"})
    answer = parse_qs(urlsplit(sent_back.headers["Location"]).query)
    given = raw("POST", "auth/eagle/token", json={"code": answer["code"][0], "client_id": "c1", "client_secret": "s1"}).json()
    assert (sent_back.status_code, answer["state"], given["token_type"], given["token"]) == (302, ["xyz"], "Bearer", given["access_token"])
    assert make_sdk(given["access_token"]).tags.list().data == []
    assert raw("POST", "auth/eagle/token", json={"code": "used", "client_id": "c1", "client_secret": "s1"}).status_code == 401


# what needs more than one call
@pytest.fixture
def crowd(box: Sandbox) -> None:
    """Many contacts, each alone in one of as many companies."""
    numbers = [str(number) for number in range(MANY)]
    box.seed({"companies": [{"company_id": number, "name": f"Company {number}"} for number in numbers]})
    box.seed({"contacts": [{"external_id": number, "companies": [number]} for number in numbers]})


@pytest.mark.usefixtures("crowd")
def test_contacts_are_listed_page_by_page(sdk: Intercom) -> None:
    listed = list(sdk.contacts.list(per_page=150))
    assert (len(listed), {contact.external_id for contact in listed}) == (MANY, {str(number) for number in range(MANY)})


@pytest.mark.usefixtures("crowd")
def test_contacts_are_searched_page_by_page(sdk: Intercom) -> None:
    contacts = list(searched(sdk))
    assert (len(contacts), len({contact.id for contact in contacts})) == (MANY, MANY)


def searched(sdk: Intercom) -> Iterator[Contact]:
    """The cursor is passed by hand: the SDK's own pager asks for page 1 for ever."""
    pagination, query = StartingAfterPaging(per_page=150), SingleFilterSearchRequest(field="role", operator="=", value="user")
    while True:
        page = sdk.contacts.search(query=query, pagination=pagination)
        yield from page.items or ()
        if page.response.pages is None or page.response.pages.next is None:
            return
        pagination = StartingAfterPaging(per_page=150, starting_after=page.response.pages.next.starting_after)


@pytest.mark.usefixtures("crowd")
def test_companies_are_listed_page_by_page(sdk: Intercom) -> None:
    first = sdk.companies.list(page=1, per_page=60, order="asc")
    listed = list(first)
    assert (len(listed), len({company.id for company in listed}), first.response.total_count) == (MANY, MANY, MANY)


@pytest.mark.usefixtures("crowd")
def test_companies_are_scrolled_and_a_second_scroll_is_refused(sdk: Intercom) -> None:
    first = sdk.companies.scroll()
    with pytest.raises(ApiError) as second:
        sdk.companies.scroll()
    assert (second.value.status_code, code_of(second.value)) == (400, "scroll_exists")
    assert len({company.company_id for company in first}) == MANY  # its pager stops at the empty page
    assert len(list(sdk.companies.scroll())) == MANY  # and the next scroll may begin


def test_search_with_in_and_groups(sdk: Intercom) -> None:
    ids = {name: a_contact(sdk, name) for name in ("25", "26", "27")}
    one_of = SingleFilterSearchRequest(field="external_id", operator="IN", value=["25", "27", "99"])
    assert {contact.id for contact in sdk.contacts.search(query=one_of)} == {ids["25"], ids["27"]}
    is_not = SingleFilterSearchRequest(field="external_id", operator="!=", value="27")
    both = MultipleFilterSearchRequest(operator="AND", value=[one_of, is_not])
    assert [contact.id for contact in sdk.contacts.search(query=both)] == [ids["25"]]


def test_tags_in_bulk_for_contacts_and_companies(sdk: Intercom) -> None:
    contact, company = a_contact(sdk), a_company(sdk)
    users = sdk.tags.create(request=TagMultipleUsersRequest(name="VIP", users=[TagMultipleUsersRequestUsersItem(id=contact)]))
    sdk.tags.create(request=TagCompanyRequest(name="VIP", companies=[TagCompanyRequestCompaniesItem(company_id="6")]))
    on_contact, on_company = sdk.contacts.list_attached_tags(contact).data, sdk.companies.find(company).tags
    assert ([tag.id for tag in on_contact], on_company.tags) == ([users.id], [{"type": "tag", "id": users.id, "name": "VIP"}])


def test_an_archived_contact_is_out_of_sight_and_keeps_its_external_id(sdk: Intercom) -> None:
    id = a_contact(sdk)
    sdk.contacts.archive(id)
    assert list(sdk.contacts.search(query=SingleFilterSearchRequest(field="external_id", operator="=", value="25"))) == []
    with pytest.raises(ApiError, match="An archived contact matching those details already exists with id=" + id):
        a_contact(sdk)
    sdk.contacts.unarchive(id)
    assert [contact.id for contact in sdk.contacts.list()] == [id]


# errors are the SDK's own
def test_401_is_unauthorized(make_sdk: MakeSdk) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        make_sdk("wrong").contacts.find(NOBODY)
    assert (refused.value.status_code, code_of(refused.value)) == (401, "unauthorized")


def test_400_is_a_bad_request(sdk: Intercom) -> None:
    with pytest.raises(BadRequestError) as no_name:
        sdk.tags.create(request=CreateOrUpdateTagRequest(name=""))
    with pytest.raises(BadRequestError) as unknown_key:
        sdk.companies.create_or_update(request=CreateOrUpdateCompanyRequest(company_id="6", test=1))  # type: ignore[call-arg]  # extra="allow"
    assert [code_of(error.value) for error in (no_name, unknown_key)] == ["parameter_invalid", "bad_request"]


def test_403_without_the_scope_is_an_api_error(make_sdk: MakeSdk) -> None:
    with pytest.raises(ApiError, match="You do not have the required scope") as refused:
        a_contact(make_sdk("reader"))
    assert (refused.value.status_code, code_of(refused.value)) == (403, "forbidden")


def test_404_is_not_found(sdk: Intercom) -> None:
    contact = a_contact(sdk)
    with pytest.raises(NotFoundError) as company:
        sdk.companies.find(NOBODY)
    with pytest.raises(NotFoundError) as tag:
        sdk.tags.tag_contact(contact, tag_id="9999")
    with pytest.raises(NotFoundError) as person:
        sdk.contacts.list_attached_tags(NOBODY)
    assert [code_of(error.value) for error in (company, tag, person)] == ["company_not_found", "not_found", "not_found"]


def test_409_is_an_api_error_that_names_the_id(sdk: Intercom) -> None:
    id = a_contact(sdk)
    with pytest.raises(ApiError, match=f"A contact matching those details already exists with id={id}") as twice:
        a_contact(sdk)
    assert (twice.value.status_code, code_of(twice.value)) == (409, "conflict")


def test_422_is_an_unprocessable_entity(box: Sandbox, sdk: Intercom) -> None:
    box.seed({"attributes": [{"name": "paid", "model": "contact", "data_type": "boolean", "segments": ["Payers"]}]})
    (attribute,) = [item for item in sdk.data_attributes.list(model="contact").data if item.name == "paid"]
    with pytest.raises(UnprocessableEntityError) as refused:
        sdk.data_attributes.update(attribute.id, request={"archived": True})
    assert (refused.value.status_code, code_of(refused.value)) == (422, "data_invalid")


def test_429_is_an_api_error(box: Sandbox, sdk: Intercom) -> None:
    box.settings.rate_limit = 1
    assert sdk.tags.list().data == []
    with pytest.raises(ApiError, match="Exceeded rate limit of 1 in 10_seconds") as refused:
        sdk.tags.list()
    assert (refused.value.status_code, code_of(refused.value)) == (429, "rate_limit_exceeded")
