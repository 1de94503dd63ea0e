//! The parameters by which others mark the links they send visitors over. Whose they are is kept, their values never: they
//! tell one person's click from another's.

/// Whose mark a link bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the networks' names")]
pub enum ClickId {
    Google,
    Microsoft,
    Yandex,
    TikTok,
    X,
    LinkedIn,
    Reddit,
    Pinterest,
    Snapchat,
    Quora,
    Vk,
    Baidu,
    Taboola,
    Outbrain,
    GoogleDisplay,
    Impact,
    Awin,
    Cj,
    Rakuten,
    ShareASale,
    Tradedoubler,
    Webgains,
    Admitad,
    Adtraction,
    PartnerStack,
    FirstPromoter,
    Tapfiliate,
    Refersion,
    Meta,
    Instagram,
    Mailchimp,
    HubSpot,
    Klaviyo,
    Marketo,
    Eloqua,
    MarketingCloud,
    ActiveCampaign,
    Dotdigital,
    Omeda,
    MailerLite,
    Vero,
    Drip,
    Kit,
    Keap,
    Beehiiv,
    Listrak,
    Blackbaud,
    GoogleShopping,
    YandexSearch,
}

/// What a mark says of the link. Of several on one link the first in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// An advertiser pays for the click.
    Paid,
    /// An advertiser pays for a display advertisement.
    Display,
    /// A partner is paid for what the visitor buys.
    Affiliate,
    /// It was clicked in a social network, which marks every link, paid or not.
    Shared,
    /// It stood in a mailing.
    Mailing,
    /// It is an unpaid listing of a search engine.
    Listing,
}

use ClickId::*;

/// Parameters in small letters, and whose they are.
const KEYS: [(&str, ClickId); 86] = [
    ("gclid", Google),
    ("gbraid", Google),
    ("wbraid", Google),
    ("gad_source", Google),
    ("gad_campaignid", Google),
    ("gclsrc", Google),
    ("dclid", GoogleDisplay),
    ("msclkid", Microsoft),
    ("yclid", Yandex),
    ("ymclid", Yandex),
    ("ttclid", TikTok),
    ("twclid", X),
    ("li_fat_id", LinkedIn),
    ("rdt_cid", Reddit),
    ("epik", Pinterest),
    ("sccid", Snapchat),
    ("sc_click_id", Snapchat),
    ("qclid", Quora),
    ("rb_clickid", Vk),
    ("bd_vid", Baidu),
    ("tblci", Taboola),
    ("obclid", Outbrain),
    ("ob_click_id", Outbrain),
    ("dicbo", Outbrain),
    ("irclickid", Impact),
    ("irgwc", Impact),
    ("awc", Awin),
    ("cjevent", Cj),
    ("cjdata", Cj),
    ("ranmid", Rakuten),
    ("raneaid", Rakuten),
    ("ransiteid", Rakuten),
    ("sscid", ShareASale),
    ("tduid", Tradedoubler),
    ("wgu", Webgains),
    ("wgexpiry", Webgains),
    ("admitad_uid", Admitad),
    ("at_gd", Adtraction),
    ("gspk", PartnerStack),
    ("gsxid", PartnerStack),
    ("ps_xid", PartnerStack),
    ("ps_partner_key", PartnerStack),
    ("fpr", FirstPromoter),
    ("tap_a", Tapfiliate),
    ("tap_s", Tapfiliate),
    ("rfsn", Refersion),
    ("fbclid", Meta),
    ("igshid", Instagram),
    ("igsh", Instagram),
    ("mc_cid", Mailchimp),
    ("mc_eid", Mailchimp),
    ("_hsenc", HubSpot),
    ("_hsmi", HubSpot),
    ("_kx", Klaviyo),
    ("_ke", Klaviyo),
    ("mkt_tok", Marketo),
    ("elqtrackid", Eloqua),
    ("elqtrack", Eloqua),
    ("elqaid", Eloqua),
    ("elq", Eloqua),
    ("sfmc_id", MarketingCloud),
    ("sfmc_sub", MarketingCloud),
    ("sfmc_j", MarketingCloud),
    ("sfmc_activityid", MarketingCloud),
    ("vgo_ee", ActiveCampaign),
    ("dm_i", Dotdigital),
    ("dm_t", Dotdigital),
    ("oly_enc_id", Omeda),
    ("oly_anon_id", Omeda),
    ("ml_subscriber", MailerLite),
    ("ml_subscriber_hash", MailerLite),
    ("vero_id", Vero),
    ("vero_conv", Vero),
    ("__s", Drip),
    ("ck_subscriber_id", Kit),
    ("inf_contact_key", Keap),
    ("_bhlid", Beehiiv),
    ("trk_contact", Listrak),
    ("trk_msg", Listrak),
    ("trk_module", Listrak),
    ("trk_sid", Listrak),
    ("bbeml", Blackbaud),
    ("bblinkid", Blackbaud),
    ("bbemailid", Blackbaud),
    ("srsltid", GoogleShopping),
    ("ysclid", YandexSearch),
];

impl ClickId {
    /// Whose parameter that is, in whichever letters.
    pub(super) fn of_key(key: &str) -> Option<ClickId> {
        KEYS.iter().find(|(known, _)| key.eq_ignore_ascii_case(known)).map(|(_, id)| *id)
    }

    /// The name of the source the visitor came from: that of the place where the link was, as reports show it.
    pub fn source(self) -> &'static str {
        match self {
            Google => "Google",
            Microsoft => "Bing",
            Yandex | YandexSearch => "Yandex",
            TikTok => "TikTok",
            X => "X",
            LinkedIn => "LinkedIn",
            Reddit => "Reddit",
            Pinterest => "Pinterest",
            Snapchat => "Snapchat",
            Quora => "Quora",
            Vk => "VK",
            Baidu => "Baidu",
            Taboola => "Taboola",
            Outbrain => "Outbrain",
            GoogleDisplay => "Google Display",
            Impact => "Impact",
            Awin => "Awin",
            Cj => "CJ",
            Rakuten => "Rakuten Advertising",
            ShareASale => "ShareASale",
            Tradedoubler => "Tradedoubler",
            Webgains => "Webgains",
            Admitad => "Admitad",
            Adtraction => "Adtraction",
            PartnerStack => "PartnerStack",
            FirstPromoter => "FirstPromoter",
            Tapfiliate => "Tapfiliate",
            Refersion => "Refersion",
            Meta => "Facebook",
            Instagram => "Instagram",
            Mailchimp => "Mailchimp",
            HubSpot => "HubSpot",
            Klaviyo => "Klaviyo",
            Marketo => "Marketo",
            Eloqua => "Eloqua",
            MarketingCloud => "Salesforce Marketing Cloud",
            ActiveCampaign => "ActiveCampaign",
            Dotdigital => "Dotdigital",
            Omeda => "Omeda",
            MailerLite => "MailerLite",
            Vero => "Vero",
            Drip => "Drip",
            Kit => "Kit",
            Keap => "Keap",
            Beehiiv => "beehiiv",
            Listrak => "Listrak",
            Blackbaud => "Blackbaud",
            GoogleShopping => "Google Shopping",
        }
    }

    /// What it says of the link.
    pub fn mark(self) -> Mark {
        match self {
            Google | Microsoft | Yandex | TikTok | X | LinkedIn | Reddit | Pinterest | Snapchat | Quora | Vk
            | Baidu | Taboola | Outbrain => Mark::Paid,
            GoogleDisplay => Mark::Display,
            Impact | Awin | Cj | Rakuten | ShareASale | Tradedoubler | Webgains | Admitad | Adtraction
            | PartnerStack | FirstPromoter | Tapfiliate | Refersion => Mark::Affiliate,
            Meta | Instagram => Mark::Shared,
            Mailchimp | HubSpot | Klaviyo | Marketo | Eloqua | MarketingCloud | ActiveCampaign | Dotdigital | Omeda
            | MailerLite | Vero | Drip | Kit | Keap | Beehiiv | Listrak | Blackbaud => Mark::Mailing,
            GoogleShopping | YandexSearch => Mark::Listing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_in_whichever_letters_and_stands_once() {
        let mut seen = std::collections::HashSet::new();
        for (key, id) in KEYS {
            assert_eq!(key, key.to_ascii_lowercase());
            assert!(seen.insert(key), "{key} stands twice");
            assert_eq!(ClickId::of_key(&key.to_ascii_uppercase()), Some(id));
        }
        assert_eq!(ClickId::of_key("ScCid"), Some(Snapchat));
        assert_eq!(ClickId::of_key("ranMID"), Some(Rakuten));
        assert_eq!(ClickId::of_key("id"), None);
    }
}
