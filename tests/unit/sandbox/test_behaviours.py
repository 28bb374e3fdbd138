"""Each behaviour of Intercom that surprises its callers: which test shows it, and who says that Intercom behaves so."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.routes import TABLE
from tests.desk.calling import Caller
from tests.desk.clock import Clock


class Behaviour(NamedTuple):
    number: int
    words: str
    source: str
    tests: tuple[str, ...]
    why_none: str = ""


def behaviour(number: int, words: str, source: str, *tests: str) -> Behaviour:
    return Behaviour(number, words, source, tests)


def left_out(number: int, words: str, source: str, why: str) -> Behaviour:
    return Behaviour(number, words, source, (), why)


BEHAVIOURS: tuple[Behaviour, ...] = (
    behaviour(
        1,
        "posting a known name in any case gives the tag that has it",
        "API 2.16, POST /tags; API 1.2 reference, create and update tags",
        "test_tags::test_a_name_in_any_case_is_the_same_tag",
    ),
    behaviour(
        2,
        "a tag is renamed by POST with its id; there is no PUT",
        "API 2.16, POST /tags",
        "test_tags::test_a_tag_is_renamed_by_posting_its_id",
        "test_tags::test_there_is_no_put_of_a_tag",
    ),
    behaviour(
        3,
        "a tag that something depends on stays, and the refusal names what",
        "API 2.16, DELETE /tags/{id}",
        "test_tags::test_a_tag_that_segments_use_cannot_be_deleted_and_names_them",
    ),
    behaviour(
        4,
        "tagging unknown people or companies is 404 up to 2.15 and skipped from 2.16",
        "API 2.14 and 2.16, POST /tags; intercom/Intercom-OpenAPI 1c6bff7, f26d0cc",
        "test_tags::test_up_to_2_15_tagging_what_does_not_exist_is_404",
        "test_tags::test_from_2_16_tagging_skips_what_does_not_exist_and_shows_the_rest",
    ),
    behaviour(
        5,
        "tagging a company makes the tag, untagging goes by its name",
        "API 2.16, POST /tags; API 2.5 reference, untag companies",
        "test_tags::test_tagging_companies_makes_the_tag_and_untagging_goes_by_its_name",
    ),
    behaviour(
        6,
        "a missing contact and a missing tag have one code and two messages",
        "API 2.16, POST /contacts/{id}/tags",
        "test_tags::test_a_missing_contact_and_a_missing_tag_differ_in_the_message_only",
        "test_behaviours::test_a_missing_contact_and_a_missing_tag_are_404_both",
    ),
    behaviour(
        7,
        "who applied a tag and when is told by the contact's tags alone",
        "API 2.16, tag schema; intercom/Intercom-OpenAPI 76db2fe",
        "test_tags::test_who_applied_a_tag_when_is_shown_on_the_contact_only",
    ),
    behaviour(
        8,
        "POST of a known company_id updates, and company_id never changes",
        "API 2.16, POST /companies",
        "test_companies::test_posting_a_company_id_again_updates_that_company",
        "test_companies::test_company_id_cannot_be_changed",
    ),
    behaviour(
        9,
        "a plan goes in as text and comes out as an object, empty if unset",
        "API 2.16, company schema and examples",
        "test_companies::test_a_plan_is_written_as_a_name_and_read_as_an_object",
    ),
    behaviour(
        10,
        "monthly_spend loses its fraction and ends at 2^31-1",
        "API 2.16, POST /companies",
        "test_companies::test_monthly_spend_is_cut_to_a_whole_number_below_2_to_the_31",
    ),
    behaviour(
        11,
        "what a company has not set is missing, not null",
        "API 2.16, company examples",
        "test_companies::test_unset_fields_of_a_company_are_missing",
    ),
    behaviour(
        12,
        "an unknown key of a company is refused by its name",
        "API 2.16, POST /companies",
        "test_companies::test_an_unknown_key_of_a_company_is_refused_by_name",
    ),
    behaviour(
        13,
        "a company without users is in no listing but can be read",
        "API 2.16, POST /companies/list",
        "test_companies::test_listings_leave_out_companies_without_users_and_point_reads_do_not",
    ),
    behaviour(
        14,
        "the company list is sorted by last request and ends at 10,000",
        "API 2.16, POST /companies/list",
        "test_companies::test_the_list_is_sorted_by_last_request_and_takes_its_page_from_the_query",
        "test_companies::test_the_list_reaches_ten_thousand_companies",
    ),
    behaviour(
        15,
        "the company list is a POST whose parameters stand in the URL",
        "API 2.16, POST /companies/list",
        "test_companies::test_the_list_is_sorted_by_last_request_and_takes_its_page_from_the_query",
    ),
    behaviour(
        16,
        "one scroll per app, for a minute, up to an empty page; after a 500 it starts again",
        "API 2.16, GET /companies/scroll",
        "test_companies::test_a_scroll_ends_with_an_empty_page_and_is_then_closed",
        "test_companies::test_one_scroll_at_a_time_for_a_minute",
        "test_behaviours::test_a_scroll_that_met_a_500_is_begun_again_when_the_old_one_is_over",
    ),
    behaviour(
        17,
        "a second scroll is 400 scroll_exists, an old parameter 404",
        "reported: airbyte#8395, airbyte#9339",
        "test_companies::test_one_scroll_at_a_time_for_a_minute",
    ),
    behaviour(
        18,
        "company_id or name gives one company, any other filter a list",
        "API 2.16, GET /companies; reported: intercom-node#472",
        "test_companies::test_company_id_and_name_give_one_company_other_filters_a_list",
    ),
    behaviour(
        19,
        "a deleted company goes later, answers object and deleted, and loses its contacts",
        "API 2.16, DELETE /companies/{id}; intercom/Intercom-OpenAPI 63f4ff7",
        "test_companies::test_a_deleted_company_goes_later_and_leaves_its_contacts",
    ),
    behaviour(
        20,
        "attaching a held company is 200, the 1001st is refused",
        "developers.intercom.com, unversioned changes, February 2026",
        "test_companies::test_attaching_again_is_200_and_the_1001st_company_is_refused",
    ),
    behaviour(
        21,
        "a conflict tells the id in its text alone, and whether that contact is archived",
        "API 2.1 reference, create contact; intercom/Intercom-OpenAPI 81e72a1",
        "test_contacts::test_a_second_contact_of_one_external_id_is_a_conflict_that_hides_the_id_in_its_text",
        "test_contacts::test_an_archived_contact_is_hidden_but_keeps_its_identifiers",
    ),
    behaviour(
        22,
        "an archived contact is out of sight, keeps its identifiers and can still be restored or deleted",
        "reported: intercom-node#333, intercom-ruby#561",
        "test_contacts::test_an_archived_contact_is_hidden_but_keeps_its_identifiers",
        "test_contacts::test_deleting_works_on_the_archived_and_frees_the_identifiers",
        "test_search::test_neither_archived_nor_merged_contacts_are_found",
    ),
    behaviour(
        23,
        "a merged contact cannot be unarchived",
        'reported: forum.intercom.com, "How to unarchive a contact?"',
        "test_contacts::test_a_merged_contact_cannot_be_unarchived",
    ),
    behaviour(
        24,
        "a merged contact is 404 up to 2.15 and 410 with a link from 2.16",
        "API 2.14 and 2.16, GET /contacts/{id}",
        "test_contacts::test_a_merged_contact_is_410_with_its_canonical_contact_from_2_16_and_404_before",
    ),
    behaviour(
        25,
        "only a lead is merged, into a user, and from 2.16 into its twin unless told otherwise",
        "API 2.16, POST /contacts/merge",
        "test_contacts::test_only_a_lead_is_merged_and_only_into_a_user",
        "test_behaviours::test_no_lead_is_merged_into_a_lead_and_no_user_into_one",
        "test_contacts::test_from_2_16_only_twins_are_merged_unless_told_otherwise",
    ),
    behaviour(
        26,
        "a user never becomes a lead",
        "API 2.3 reference, update contact",
        "test_contacts::test_a_user_never_becomes_a_lead_but_a_lead_a_user",
    ),
    behaviour(
        27,
        "an owner must be an admin; its id is a number up to 2.15 and text from 2.16",
        "API 2.1 reference, update contact; intercom/Intercom-OpenAPI b3c9834",
        "test_contacts::test_an_owner_is_an_admin_and_its_id_a_number_up_to_2_15",
    ),
    behaviour(28, "an email alone makes a user", "API 2.16, POST /contacts, example", "test_contacts::test_only_an_email_makes_a_user"),
    behaviour(
        29,
        "leads are not found by external_id",
        "API 2.16, GET /contacts/find_by_external_id",
        "test_contacts::test_find_by_external_id_sees_users_only",
    ),
    behaviour(
        30,
        "the lists inside a contact hold ten references and say whether there are more",
        "API 2.16, contact_tags and contact_companies schemas",
        "test_contacts::test_sub_lists_stop_at_ten_references",
    ),
    behaviour(
        31,
        "an avatar goes in as text and comes out as an object",
        "API 2.16, POST /contacts and contact schema",
        "test_contacts::test_an_avatar_is_written_as_a_url_and_read_as_an_object",
    ),
    behaviour(
        32,
        "language_override can be written in Preview only",
        "API Preview and 2.16, PUT /contacts/{id}",
        "test_contacts::test_language_override_is_written_in_preview_only",
    ),
    behaviour(
        33,
        "search finds a new contact minutes later",
        "API 2.16, POST /contacts/search",
        "test_search::test_a_new_contact_stays_invisible_for_the_delay_but_can_be_read",
    ),
    behaviour(
        34,
        "search compares dates by the day of the workspace's time zone",
        "API 2.16, POST /contacts/search; intercom/Intercom-OpenAPI 528b0f2",
        "test_search::test_dates_are_compared_by_day",
        "test_search::test_the_day_is_that_of_the_workspaces_time_zone",
        "test_search::test_an_operator_that_the_type_does_not_have_is_refused",
    ),
    behaviour(
        35,
        "search has = and != for tag_id, nothing else",
        "API 2.16, POST /contacts/search",
        "test_search::test_tags_are_found_by_id_with_two_operators",
        "test_search::test_an_operator_that_the_type_does_not_have_is_refused",
    ),
    behaviour(
        36,
        "groups of filters nest twice and hold fifteen",
        "API 2.16, POST /contacts/search",
        "test_search::test_groups_nest_twice_and_hold_fifteen_filters",
    ),
    behaviour(
        37,
        "an invalid sort order is refused from 2.16",
        "API 2.16, POST /contacts/search",
        "test_search::test_an_invalid_sort_order_is_refused_from_2_16",
    ),
    behaviour(
        38,
        "the cursor of a search counts in the body only",
        "reported: community.intercom.com/2038",
        "test_search::test_the_cursor_belongs_into_the_body_and_is_ignored_in_the_url",
    ),
    behaviour(
        39,
        "contacts are listed in tens, at most 150",
        "API 2.16, GET /contacts; intercom/Intercom-OpenAPI#639",
        "test_contacts::test_the_list_comes_in_tens_and_at_most_150",
    ),
    behaviour(
        40,
        "a custom attribute of a contact exists before it is written",
        "changelog of API 2.0; reported: intercom-ruby#614",
        "test_contacts::test_a_custom_attribute_exists_before_it_is_written_and_keeps_its_type",
    ),
    behaviour(
        41,
        "contacts and companies share the names of attributes",
        "API 2.16, POST /data_attributes",
        "test_attributes::test_names_are_unique_over_contacts_and_companies",
    ),
    behaviour(
        42,
        "a list attribute goes in as objects and comes out as texts",
        "API 2.16, PUT /data_attributes/{id}, example",
        "test_attributes::test_a_list_is_written_as_objects_and_read_as_texts",
    ),
    behaviour(
        43,
        "an attribute in use cannot be archived",
        "API 2.16, PUT /data_attributes/{id}",
        "test_attributes::test_an_attribute_in_use_cannot_be_archived",
    ),
    behaviour(
        44,
        "an attribute keeps its name and type",
        "API 2.16, PUT /data_attributes/{id}",
        "test_attributes::test_name_and_type_stay_as_they_were_made",
    ),
    behaviour(
        45,
        "over the limit is 429 for a window of ten seconds; strangers see no rate headers",
        "developers.intercom.com, rate limiting",
        "test_door::test_over_the_limit_is_429_until_the_next_window_of_ten_seconds",
        "test_door::test_a_wrong_token_is_401_without_rate_headers",
    ),
    behaviour(
        46,
        "nothing makes a repeated create safe",
        "API 2.16 and Preview: no idempotency key",
        "test_door::test_nothing_makes_a_repeated_create_safe",
    ),
    behaviour(
        47,
        "the version header beats the app's version; Unstable is Preview",
        "developers.intercom.com, update your API version",
        "test_door::test_the_header_beats_the_apps_version",
        "test_door::test_an_endpoint_that_the_version_lacks_is_400",
        "test_contacts::test_language_override_is_written_in_preview_only",
    ),
    behaviour(
        48,
        "attaching an opt-out type opts out, and only choices are listed",
        "API 2.16, POST /contacts/{id}/subscriptions",
        "test_around::test_attaching_an_opt_out_type_opts_out_and_only_choices_are_listed",
        "test_behaviours::test_a_chosen_subscription_is_listed_and_no_other",
    ),
    behaviour(
        49,
        "segments are listed under segments, a company's tags under tags.tags",
        "API 2.16, GET /segments and company schema",
        "test_around::test_segments_are_listed_under_their_own_key",
    ),
    behaviour(
        50,
        "of two creates at once one is 409",
        "reported: PostHog#72192",
        "test_store::test_threads_never_make_the_same_contact_twice",
    ),
    left_out(
        51,
        "bulk jobs create strictly, tag as far as they can and tell no error of an item",
        "API Preview",
        "Preview's bulk jobs are not built: no stable version has them and nothing of ours calls them",
    ),
    behaviour(
        52,
        "an unsupported method is 404, an Accept without JSON 406",
        "developers.intercom.com, HTTP responses",
        "test_door::test_an_unsupported_method_or_path_is_404",
        "test_door::test_an_accept_without_json_is_406",
    ),
)
CITED = [pytest.param(row, test, id=f"{row.number} {test}") for row in BEHAVIOURS for test in row.tests]


def find_test(test: str) -> Callable[..., object]:
    module, _, function = test.partition("::")
    test_function: Callable[..., object] = getattr(import_module(f"tests.unit.sandbox.{module}"), function)
    return test_function


def comment_of(function: Callable[..., object]) -> str:
    """Its docstring and the comment right above it, on one line in small letters."""
    return " ".join(f"{inspect.getdoc(function) or ''} {inspect.getcomments(function) or ''}".split()).casefold()


def test_every_behaviour_has_one_row() -> None:
    assert [row.number for row in BEHAVIOURS] == list(range(1, 53))


@pytest.mark.parametrize("row", BEHAVIOURS, ids=lambda row: str(row.number))
def test_a_behaviour_is_shown_by_a_test_or_says_why_not(row: Behaviour) -> None:
    assert row.words
    assert row.source
    assert bool(row.tests) != bool(row.why_none)


@pytest.mark.parametrize(("row", "test"), CITED)
def test_the_test_of_a_behaviour_exists_and_names_its_source(row: Behaviour, test: str) -> None:
    function = find_test(test)
    assert inspect.isfunction(function)
    assert function.__name__.startswith("test_")
    body = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
    assert any(isinstance(node, ast.Assert) for node in body), f"{test} asserts nothing"
    assert row.source.casefold() in comment_of(function)


def test_what_is_left_out_is_not_built() -> None:
    assert not [route.path for route in TABLE if "bulk" in route.path or "jobs" in route.path]


def test_a_scroll_that_met_a_500_is_begun_again_when_the_old_one_is_over(call: Caller, box: Sandbox, clock: Clock) -> None:
    """API 2.16, GET /companies/scroll."""
    box.seed({"contacts": [{"external_id": f"u{n}", "companies": [f"c{n}"]} for n in range(101)]})
    first = call.ok("GET", "/companies/scroll")
    box.faults.add("GET", "/companies/scroll", status=500)
    assert call("GET", f"/companies/scroll?scroll_param={first['scroll_param']}").status == 500
    clock.forward(60)
    assert call.ok("GET", "/companies/scroll")["data"] == first["data"]


def test_a_missing_contact_and_a_missing_tag_are_404_both(call: Caller) -> None:
    """API 2.16, POST /contacts/{id}/tags."""
    contact, tag = call.ok("POST", "/contacts", {"role": "user"})["id"], call.ok("POST", "/tags", {"name": "vip"})["id"]
    assert call("POST", "/contacts/nobody/tags", {"id": tag}).status == 404
    assert call("POST", f"/contacts/{contact}/tags", {"id": "1"}).status == 404


def test_no_lead_is_merged_into_a_lead_and_no_user_into_one(call: Caller) -> None:
    """API 2.16, POST /contacts/merge."""
    user, lead, other = (call.ok("POST", "/contacts", {"role": role})["id"] for role in ("user", "lead", "lead"))
    for source, target in ((lead, other), (user, lead)):
        body = {"from": source, "into": target, "skip_duplicate_validation": True}
        assert call("POST", "/contacts/merge", body).status == 400


def test_a_chosen_subscription_is_listed_and_no_other(call: Caller) -> None:
    """API 2.16, POST /contacts/{id}/subscriptions."""
    contact = call.ok("POST", "/contacts", {"role": "user"})["id"]
    call.ok("POST", f"/contacts/{contact}/subscriptions", {"id": "91", "consent_type": "opt_out"})
    assert [chosen["id"] for chosen in call.ok("GET", f"/contacts/{contact}/subscriptions")["data"]] == ["91"]
    assert len(call.ok("GET", "/subscription_types")["data"]) > 1
