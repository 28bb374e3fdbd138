"""An embedded local Intercom, written from Intercom's description of its API (2.14 to 2.16, the contact parts of Preview).

It stands alone. Neither the description nor reports say what Intercom does in the cases below. The sandbox does what is
hardest for a client: one that copes with it copes with the rest. A setting in brackets changes it.

==================================================  ==============================================================
not established                                     here
==================================================  ==============================================================
unknown version in the header                       400 intercom_version_invalid; so are versions below 2.14
calls per window of the documented limit            1667; `Retry-After` is never sent, nor a request-id header
which scope an endpoint needs                       families: read/write users, tags; write attributes; read admins,
                                                    conversations, content
path with a trailing or double slash                as without it
casing of a tag posted again                        the first one stays (`name_spelling`); names are folded with lower(), no Unicode form
                                                    (`rewrites`: fold, lower)
blanks around names                                 kept (`rewrites`: trim)
length of a tag name                                no limit (`rewrites`: cut; `name_beyond`, `name_length`)
signs of HTML in names                              kept (`rewrites`: escape)
rename onto another tag's name                      400 parameter_invalid (`rename_taken`); of an unknown id 404
body of DELETE /tags/{id}                           `{}`
404 of POST /tags up to 2.15                        what stands before the missing one is tagged, the tag is created
tag attached twice                                  200, the first applied_at stays (`attached_again`)
tag not on the contact detached                     404 Resource Not Found (`detached_missing`); company likewise 404 company_not_found
a tag or company attached or detached               counts as an update of the contact (`updated_at`)
POST /companies with a name only                    always a new company, its company_id is its id; with neither 400
POST /companies with a company_id only              its name is the company_id
null in a company field                             ignored, 200 (`company_null`)
monthly_spend above 2^31-1                          400 bad_request
company_id, remote_created_at in PUT                400 bad_request, as every unknown key
several companies of one ?name=                     the oldest
GET /companies, ?tag_id=, scroll                    hide companies without users too (`hide_userless`)
whom a company needs to be listed, and counts       users, not leads
companies per page                                  at most 60, larger is cut down; scroll pages have 100
company deleted, id and company_id                  404 at once or after `archive_delay`; created again it has a new id
unknown custom attribute                            400 parameter_invalid (`unknown_attribute`), on both; an archived one too
value of the wrong type, outside the options        400 parameter_invalid
null custom attribute                               the key disappears, on leads too (`leads_refuse_null`)
unknown key in a contact                            ignored, 200 (`unknown_key`); tags, companies, language_override among them
null for email, external_id, role                   400 parameter_invalid; other contact fields are cleared
stored case of an e-mail                            as written (`email_case`)
who may share an e-mail                             users whose external_ids both are set and differ; leads always; case
                                                    is ignored (`shared_email`)
an e-mail in search                                 exact case for = and IN (`fold_email`); ~ ^ $ ignore case
lead with an external_id                            accepted (`lead_external_id`), but find_by_external_id is 404; none is invented
order of GET /contacts                              last change first, so rows move (`contact_order`)
default sort of search; unset values                created_at; lowest
delay of updates in search and list                 none (`update_delay`); until then both show the old state
query too deep or wide, bad operator; unknown field 400 parameter_invalid; 400 invalid_field
invalid sort order before 2.16                      descending
cap of search, size above 150                       none (`total_count`, `count_cap`); cut down to 150
broken cursor                                       400 parameter_invalid
merge of anything but a lead into a user            400 invalid_merge; the user keeps what it has, gaps are filled
unarchive of a live contact, archive twice          200
blocked contact                                     hidden like an archived one; creating or unarchiving: 400 not_restorable
dot in the name of an attribute                     400 parameter_invalid (`attribute_dots`)
limit of 250 attributes                             400 parameter_invalid; a name is compared exactly
consent_type that is not the type's                 taken as the type's
`=` on tag_ids of conversations                     contains
a tag that a conversation has, or has not           attached again: 200 (`attached_again`); detached: 404 (`detached_missing`)
admin_id for the tags of conversations              missing: 400 parameter_missing; unknown: 404 not_found
reply of POST /auth/uninstall                       `{}`
==================================================  ==============================================================
"""

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.faults import ConnectionDropped, Fault
from reconciler.sandbox.request import Refusal, Request
from reconciler.sandbox.seed import load_seed
from reconciler.sandbox.server import serve, serve_forever

__all__ = ["ConnectionDropped", "Fault", "Refusal", "Request", "Sandbox", "load_seed", "serve", "serve_forever"]
