"""The marketplace table against the facts, entered a second time (a published connector shipped swapped ids)."""

import pytest

from common.amazon.marketplaces import (
    MARKETPLACES,
    REGIONS,
    UnknownMarketplace,
    is_marketplace,
    marketplace,
    marketplaces_of,
)

FACTS = """
    A2EUQ1WTGCTBG2  CA  NA  CAD  en_CA  sellercentral.amazon.ca
    ATVPDKIKX0DER   US  NA  USD  en_US  sellercentral.amazon.com
    A1AM78C64UM0Y8  MX  NA  MXN  es_MX  sellercentral.amazon.com.mx
    A2Q3Y263D00KWC  BR  NA  BRL  pt_BR  sellercentral.amazon.com.br
    A28R8C7NBKEWEA  IE  EU  EUR  en_IE  sellercentral.amazon.ie
    A1RKKUPIHCS9HS  ES  EU  EUR  es_ES  sellercentral-europe.amazon.com
    A1F83G8C2ARO7P  UK  EU  GBP  en_GB  sellercentral-europe.amazon.com
    A13V1IB3VIYZZH  FR  EU  EUR  fr_FR  sellercentral-europe.amazon.com
    AMEN7PMS3EDWL   BE  EU  EUR  fr_BE  sellercentral.amazon.com.be
    A1805IZSGTT6HS  NL  EU  EUR  nl_NL  sellercentral.amazon.nl
    A1PA6795UKMFR9  DE  EU  EUR  de_DE  sellercentral-europe.amazon.com
    APJ6JRA9NG5V4   IT  EU  EUR  it_IT  sellercentral-europe.amazon.com
    A2NODRKZP88ZB9  SE  EU  SEK  sv_SE  sellercentral.amazon.se
    AE08WJ6YKNBMC   ZA  EU  ZAR  en_ZA  sellercentral.amazon.co.za
    A1C3SOZRARQ6R3  PL  EU  PLN  pl_PL  sellercentral.amazon.pl
    ARBP9OOSHTCHU   EG  EU  EGP  ar_AE  sellercentral.amazon.eg
    A33AVAJ2PDY3EV  TR  EU  TRY  tr_TR  sellercentral.amazon.com.tr
    A17E79C6D8DWNP  SA  EU  SAR  ar_AE  sellercentral.amazon.sa
    A2VIGQ35RCS4UG  AE  EU  AED  en_AE  sellercentral.amazon.ae
    A21TJRUUN4KGV   IN  EU  INR  en_IN  sellercentral.amazon.in
    A19VAU5U5O7RUS  SG  FE  SGD  en_SG  sellercentral.amazon.sg
    A39IBJ37TRP1C6  AU  FE  AUD  en_AU  sellercentral.amazon.com.au
    A1VC38T7YXB528  JP  FE  JPY  ja_JP  sellercentral.amazon.co.jp
"""


@pytest.mark.row("A5")
@pytest.mark.edge(29)
@pytest.mark.fact("1.1")
@pytest.mark.parametrize("line", FACTS.strip().splitlines(), ids=lambda line: line.split()[1])
def test_a_marketplace_has_the_country_region_currency_language_and_consent_page_of_the_facts(line: str) -> None:
    marketplace_id, country_code, region, currency, language, consent_host = line.split()
    entry = marketplace(marketplace_id)
    assert (entry.country_code, entry.region, entry.currency) == (country_code, region, currency)
    assert (entry.default_language, entry.consent_url) == (language, f"https://{consent_host}")


@pytest.mark.edge(29)
def test_there_are_23_marketplaces_with_an_id_of_their_own() -> None:
    assert len(MARKETPLACES) == len({entry.marketplace_id for entry in MARKETPLACES}) == 23


@pytest.mark.edge(29)
@pytest.mark.parametrize(
    ("marketplace_id", "endpoint", "aws_region"),
    [
        ("A2Q3Y263D00KWC", "https://sellingpartnerapi-na.amazon.com", "us-east-1"),
        ("A21TJRUUN4KGV", "https://sellingpartnerapi-eu.amazon.com", "eu-west-1"),
        ("A1VC38T7YXB528", "https://sellingpartnerapi-fe.amazon.com", "us-west-2"),
    ],
)
def test_a_marketplace_is_served_by_the_host_of_its_region(marketplace_id: str, endpoint: str, aws_region: str) -> None:
    entry = marketplace(marketplace_id)
    assert (entry.endpoint, REGIONS[entry.region].aws_region) == (endpoint, aws_region)


@pytest.mark.fact("1.4")
def test_an_authorisation_covers_all_marketplaces_of_its_region() -> None:
    assert {region: len(marketplaces_of(region)) for region in REGIONS} == {"NA": 4, "EU": 16, "FE": 3}


@pytest.mark.fact("1.5")
def test_an_id_that_is_no_store_is_named_in_the_error() -> None:
    assert not is_marketplace("A38D8NSA03LJTC")
    with pytest.raises(UnknownMarketplace, match="A38D8NSA03LJTC") as unknown:
        marketplace("A38D8NSA03LJTC")
    assert unknown.value.marketplace_id == "A38D8NSA03LJTC"
