"""Companies as Intercom describes them (API 2.16): upsert, hidden ones, the three listings, links."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock


def with_users(count: int, **company: object) -> dict[str, object]:
    """A seed of so many companies with one user each."""
    return {
        "companies": [{"company_id": f"c{n}", "last_request_at": n, **company} for n in range(count)],
        "contacts": [{"external_id": f"u{n}", "companies": [f"c{n}"]} for n in range(count)],
    }


def test_posting_a_company_id_again_updates_that_company(call: Caller) -> None:
    """API 2.16, POST /companies."""
    first = call.ok("POST", "/companies", {"company_id": "6", "name": "Blue Sun"})
    again = call.ok("POST", "/companies", {"company_id": "6", "size": 85})
    assert (again["id"], again["name"], again["size"]) == (first["id"], "Blue Sun", 85)


def test_company_id_cannot_be_changed(call: Caller) -> None:
    """API 2.16, POST /companies."""
    company = call.ok("POST", "/companies", {"company_id": "6"})["id"]
    assert call("PUT", f"/companies/{company}", {"company_id": "7"}).message == "bad 'company_id' parameter"


def test_a_plan_is_written_as_a_name_and_read_as_an_object(call: Caller) -> None:
    """API 2.16, company schema and examples."""
    assert call.ok("POST", "/companies", {"company_id": "6"})["plan"] == {}
    plan = call.ok("POST", "/companies", {"company_id": "6", "plan": "plan1"})["plan"]
    assert (plan["type"], plan["name"]) == ("plan", "plan1")
    assert call.ok("POST", "/companies", {"company_id": "7", "plan": "plan1"})["plan"] == plan


def test_monthly_spend_is_cut_to_a_whole_number_below_2_to_the_31(call: Caller) -> None:
    """API 2.16, POST /companies."""
    assert call.ok("POST", "/companies", {"company_id": "6", "monthly_spend": 155.98})["monthly_spend"] == 155
    assert call.ok("POST", "/companies", {"company_id": "6", "monthly_spend": 2147483647})["monthly_spend"] == 2147483647
    assert call("POST", "/companies", {"company_id": "6", "monthly_spend": 2147483648}).code == "bad_request"


def test_unset_fields_of_a_company_are_missing(call: Caller) -> None:
    """API 2.16, company examples."""
    company = call.ok("POST", "/companies", {"company_id": "6", "name": "Blue Sun"})
    assert not {"size", "website", "industry", "last_request_at"} & set(company)
    assert (company["monthly_spend"], company["session_count"], company["user_count"]) == (0, 0, 0)


@pytest.mark.parametrize("key", ["test", "tags", "user_count"])
def test_an_unknown_key_of_a_company_is_refused_by_name(call: Caller, key: str) -> None:
    """API 2.16, POST /companies."""
    refused = call("POST", "/companies", {"company_id": "6", key: 1})
    assert (refused.status, refused.code, refused.message) == (400, "bad_request", f"bad '{key}' parameter")


def test_update_last_request_at_came_with_2_16(call: Caller, call_2_15: Caller, clock: Clock) -> None:
    body = {"company_id": "6", "update_last_request_at": True}
    assert call_2_15("POST", "/companies", body).code == "bad_request"
    assert call.ok("POST", "/companies", body)["last_request_at"] == int(clock.now)


def test_listings_leave_out_companies_without_users_and_point_reads_do_not(call: Caller, box: Sandbox) -> None:
    """API 2.16, POST /companies/list."""
    box.seed({**with_users(1), "companies": [{"company_id": "c0"}, {"company_id": "empty"}]})
    for method, path in (("POST", "/companies/list"), ("GET", "/companies"), ("GET", "/companies/scroll")):
        assert [c["company_id"] for c in call.ok(method, path)["data"]] == ["c0"], path
    assert call.ok("GET", "/companies?company_id=empty")["user_count"] == 0


def test_the_list_is_sorted_by_last_request_and_takes_its_page_from_the_query(call: Caller, box: Sandbox) -> None:
    """API 2.16, POST /companies/list."""
    box.seed(with_users(31))
    first = call.ok("POST", "/companies/list", {"page": 3, "per_page": 1, "order": "asc"})
    assert [c["company_id"] for c in first["data"]] == [f"c{n}" for n in range(30, 15, -1)]
    assert (first["pages"]["page"], first["pages"]["total_pages"], first["total_count"]) == (1, 3, 31)
    last = call.ok("POST", "/companies/list?page=3&order=asc")
    assert ([c["company_id"] for c in last["data"]], last["pages"]["next"]) == (["c30"], None)


def test_the_list_reaches_ten_thousand_companies(call: Caller, box: Sandbox) -> None:
    """API 2.16, POST /companies/list."""
    box.seed(with_users(10_001))
    assert call.ok("POST", "/companies/list?per_page=50&page=200")["pages"]["total_pages"] == 200
    beyond = call.ok("POST", "/companies/list?per_page=50&page=201")
    assert (beyond["data"], beyond["total_count"]) == ([], 0)


def test_pages_of_companies_are_cut_down_to_sixty(call: Caller) -> None:
    assert call.ok("POST", "/companies/list?per_page=500")["pages"]["per_page"] == 60


def test_a_scroll_ends_with_an_empty_page_and_is_then_closed(call: Caller, box: Sandbox) -> None:
    """API 2.16, GET /companies/scroll."""
    box.seed(with_users(101))
    page = call.ok("GET", "/companies/scroll")
    sizes, param = [len(page["data"])], page["scroll_param"]
    while page["data"]:
        page = call.ok("GET", f"/companies/scroll?scroll_param={param}")
        sizes.append(len(page["data"]))
    assert (sizes, page["pages"], page["total_count"]) == ([100, 1, 0], None, None)
    assert call("GET", f"/companies/scroll?scroll_param={param}").status == 404


def test_one_scroll_at_a_time_for_a_minute(call: Caller, clock: Clock) -> None:
    """API 2.16, GET /companies/scroll; reported: airbyte#8395, airbyte#9339."""
    param = "x"
    call.box.seed(with_users(1))
    param = call.ok("GET", "/companies/scroll")["scroll_param"]
    refused = call("GET", "/companies/scroll")
    assert (refused.status, refused.code, refused.message) == (400, "scroll_exists", "scroll already exists for this workspace")
    clock.forward(60)
    assert call("GET", f"/companies/scroll?scroll_param={param}").status == 404
    assert call("GET", "/companies/scroll").status == 200


def test_company_id_and_name_give_one_company_other_filters_a_list(call: Caller, box: Sandbox) -> None:
    """API 2.16, GET /companies; reported: intercom-node#472; the schema disagrees with the prose."""
    box.seed({"companies": [{"company_id": "6", "name": "Blue Sun", "tags": ["vip"]}]})
    box.seed({"contacts": [{"external_id": "1", "companies": ["6"]}]})
    tag = call.ok("GET", "/tags")["data"][0]["id"]
    assert call.ok("GET", "/companies?company_id=6")["type"] == "company"
    assert call.ok("GET", "/companies?name=Blue%20Sun")["company_id"] == "6"
    assert len(call.ok("GET", f"/companies?tag_id={tag}")["data"]) == 1
    assert call.ok("GET", "/companies?tag_id=1")["data"] == []
    assert call("GET", "/companies?company_id=7").code == "company_not_found"


def test_a_deleted_company_goes_later_and_leaves_its_contacts(call: Caller, box: Sandbox, clock: Clock) -> None:
    """API 2.16, DELETE /companies/{id}; intercom/Intercom-OpenAPI 63f4ff7."""
    box.settings.archive_delay = 30
    box.seed(with_users(1))
    company = call.ok("GET", "/companies?company_id=c0")["id"]
    assert call.ok("DELETE", f"/companies/{company}") == {"id": company, "object": "company", "deleted": True}
    assert call("GET", f"/companies/{company}").status == 200
    clock.forward(30)
    assert call("GET", f"/companies/{company}").code == "company_not_found"
    assert call.ok("GET", "/contacts/find_by_external_id/u0")["companies"]["total_count"] == 0


def test_attaching_again_is_200_and_the_1001st_company_is_refused(call: Caller, box: Sandbox) -> None:
    """developers.intercom.com, unversioned changes, February 2026."""
    box.seed({"contacts": [{"external_id": "1", "companies": [f"c{n}" for n in range(1000)]}], "companies": [{"company_id": "more"}]})
    contact, more, held = (
        call.ok("GET", path)["id"] for path in ("/contacts/find_by_external_id/1", "/companies?company_id=more", "/companies?company_id=c0")
    )
    assert call.ok("POST", f"/contacts/{contact}/companies", {"id": held})["user_count"] == 1
    refused = call("POST", f"/contacts/{contact}/companies", {"id": more})
    assert (refused.status, refused.code) == (400, "contact_company_limit_exceeded")


def test_linking_without_a_company_or_to_an_unknown_one(call: Caller) -> None:
    contact = call.ok("POST", "/contacts", {"role": "user"})["id"]
    assert call("POST", f"/contacts/{contact}/companies", {}).code == "parameter_not_found"
    assert call("POST", f"/contacts/{contact}/companies", {"id": "x"}).code == "company_not_found"
    assert call("DELETE", "/contacts/nobody/companies/x").message == "User Not Found"


def test_the_answer_to_a_link_counts_the_user_already(call: Caller) -> None:
    contact, company = call.ok("POST", "/contacts", {"role": "user"})["id"], call.ok("POST", "/companies", {"company_id": "6"})["id"]
    assert call.ok("POST", f"/contacts/{contact}/companies", {"id": company})["user_count"] == 1
    assert call.ok("DELETE", f"/contacts/{contact}/companies/{company}")["user_count"] == 0


def test_contacts_of_a_company_come_in_pages(call: Caller, box: Sandbox) -> None:
    box.seed({"contacts": [{"external_id": f"u{n}", "companies": ["6"]} for n in range(51)]})
    company = call.ok("GET", "/companies?company_id=6")["id"]
    first, second = (call.ok("GET", f"/companies/{company}/contacts?page={page}") for page in (1, 2))
    assert (len(first["data"]), len(second["data"]), first["total_count"], "next" in second["pages"]) == (50, 1, 51, False)


def test_companies_of_a_contact_come_in_pages_whose_next_is_a_url(call: Caller, box: Sandbox) -> None:
    box.seed({"contacts": [{"external_id": "1", "companies": [f"c{n}" for n in range(51)]}]})
    contact = call.ok("GET", "/contacts/find_by_external_id/1")["id"]
    following = call.ok("GET", f"/contacts/{contact}/companies")["pages"]["next"]
    assert following == f"https://api.intercom.io/contacts/{contact}/companies?page=2&per_page=50"
    assert len(call.ok("GET", following.removeprefix("https://api.intercom.io"))["data"]) == 1


def test_an_unknown_custom_attribute_of_a_company_is_refused(call: Caller) -> None:
    """Not documented for companies."""
    assert call("POST", "/companies", {"company_id": "6", "custom_attributes": {"x": 1}}).code == "parameter_invalid"
    assert call("GET", "/companies?company_id=6").status == 404
