"""Dials for accounts: create one, sign in as one, take back what one has authorised."""

from typing import Any

import msgspec

from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.marketplaces import MARKETPLACES, RegionCode
from amazon_sandbox.world import Seller


class NewSeller(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    region: RegionCode
    name: str
    marketplaces: list[str]
    non_amazon_store: bool = False


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    region: RegionCode
    selling_partner_id: str


def create(call: DialCall) -> dict[str, Any]:
    new = call.read(NewSeller)
    if not new.selling_partner_id:
        raise DialError("selling_partner_id is not empty")
    if (new.region, new.selling_partner_id) in call.world.sellers:
        raise DialError(f"there is a seller {new.selling_partner_id} in {new.region} already", 409)
    if not new.marketplaces:
        raise DialError("a seller sells in one marketplace at least")
    for marketplace_id in new.marketplaces:
        if marketplace_id not in MARKETPLACES or MARKETPLACES[marketplace_id].region != new.region:
            raise DialError(f"{marketplace_id} is not a marketplace of {new.region}")
    seller = Seller(new.selling_partner_id, new.region, new.name, tuple(dict.fromkeys(new.marketplaces)))
    seller.has_non_amazon_store = new.non_amazon_store
    call.world.sellers[new.region, new.selling_partner_id] = seller
    return {"selling_partner_id": seller.selling_partner_id, "region": seller.region}


def sign_in(call: DialCall) -> dict[str, Any]:
    wish = call.read(SignIn)
    if (wish.region, wish.selling_partner_id) not in call.world.sellers:
        raise DialError(f"there is no seller {wish.selling_partner_id} in {wish.region}", 404)
    call.world.signed_in[wish.region] = wish.selling_partner_id
    return {"signed_in": dict(call.world.signed_in)}


def revoke(call: DialCall) -> dict[str, Any]:
    """Its subscriptions end with them (FACTS 9.3)."""
    seller = call.seller(call.path["selling_partner_id"])
    call.world.notifications.end_authorization(seller.region, seller.selling_partner_id)
    return {"grants_revoked": call.world.grants.revoke(seller.selling_partner_id, seller.region)}


DIALS = (
    Dial(
        "POST",
        "/sandbox/sellers",
        'create a seller: {"selling_partner_id": "A1...", "region": "NA", "name": "Acme", '
        '"marketplaces": ["ATVPDKIKX0DER"], "non_amazon_store"? (true: participations list one more)}',
        create,
    ),
    Dial(
        "POST",
        "/sandbox/sign-in",
        'whose browser opens the consent page: {"region": "NA", "selling_partner_id": "A1..."}',
        sign_in,
    ),
    Dial(
        "POST",
        "/sandbox/sellers/{selling_partner_id}/revoke",
        "the seller takes back every authorisation; no body; ?region= if the id lives in several",
        revoke,
    ),
)
