//! The false positives: what looks like personal data and must be kept, since the figures are made of it.

use super::super::decode;
use super::{path, text};
use crate::pseudonym::{RawUrl, scrub};

/// In a title, a property's value, a campaign.
const TEXTS: &[&str] = &[
    // Prices, quantities, measures
    "£12.99",
    "€1,234.56",
    "1999.00",
    "0.99 - 1.99",
    "from £1,000,000 to £2,500,000",
    "£49 per month, £490 per year",
    "2 for £25.00",
    "50%",
    "1920x1080",
    "192 x 108 x 400",
    "250ml",
    "500mg",
    "10 x 2.5mg/2.5ml",
    "120/80 mmHg",
    "BP 135/85",
    "98.6F",
    "5-10 years",
    "0-100",
    "24/7",
    "24/7/365",
    "2023/24, 2024/25",
    "10 12 2024",
    "3 in 4 people",
    "1/2/3",
    "51.5072,-0.1276",
    // Times and days nobody is born on
    "10:30",
    "10:30:15",
    "9am-5pm",
    "Mon-Fri 08:00-18:30",
    "2024-05-12T10:30:00Z",
    "2024-05-12T10:30:00.123456+01:00",
    "2024-05-12 10:30",
    "20240512T103000Z",
    "20240512103000",
    "2024-W20-3",
    "1715500000",
    "1715500000000",
    "12 May 2024",
    "12th of May, 2025",
    "May 2024",
    "1990s",
    "Q3 2024",
    "FY2023-24",
    "2024-05-12-news",
    "spring-2024-05-12",
    "12-05-2024-news",
    // Versions and models
    "v1.12.100",
    "v1.2.3.4",
    "vue@3.4.1",
    "jquery@3.6.0.min.js",
    "119.0.6045.105",
    "Windows NT 10.0",
    "iOS 17.5.1",
    "GPT-4o",
    "iphone-15-pro-max-256gb",
    "iphone15promax256gbblue",
    "apple-macbook-MQD83ZM2A1-silver-2024",
    "Omron M3 Comfort",
    "Dexcom G7",
    "FreeStyle Libre 2",
    "HEM-7134-E",
    "WH-1000XM5",
    // Codes and numbers of things
    "XK7-9B2-PLQ4",
    "SKU 123456",
    "SKU-00012345678",
    "B08N5WRWNW",
    "AB123456",
    "PO-2024-00123",
    "INV-0004567",
    "978-0-306-40615-7",
    "ISBN 9780306406158",
    "EAN 5012345678900",
    "order 1234567890",
    "Ref: 12345678",
    "ISO 27001",
    "BS EN 60601-1-2",
    "SNOMED 73211009",
    "ICD-10 E11.9",
    "ODS code A81001",
    "CQC 1-10000302982",
    "company number 01234567",
    "doi:10.1016/S0140-6736(20)32661-1",
    "10.1056/NEJMoa2034577",
    "NCT04368728",
    "ISRCTN50189673",
    "PL 00427/0139",
    "UDI (01)05012345678900(17)251231",
    "rs429358",
    "EN 14683:2019",
    // What is postal or nearly so
    "SW1A",
    "W1",
    "M1 and M2",
    "A4 2PK",
    "MP3 4ME",
    "QA1 2AB",
    "A1 2BC",
    "AB1 2CD",
    "X1 1AA",
    "B2B 4u",
    "e10 5g",
    "Boeing 747-400",
    "Giraffe 0",
    "room B12 3rd floor",
    "N95 mask",
    // Signs
    "@handle",
    "photo@2x.png",
    "sprite@1.5x.webp",
    "3 @ £5",
    "look (at) this",
    "a@b",
    "C++ & C#",
    "#1 clinic",
    "[email]",
    // Words
    "how-to-choose-the-best-widget-for-your-home",
    "Top-10-Widgets-For-2024-And-Beyond",
    "GettingStartedWithConsentry",
    "getUserMediaDevicesFromBrowser",
    "supercalifragilisticexpialidocious",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "hydroxychloroquine/azithromycin",
    "SARS-CoV-2",
    "naïve café",
    "日本語のページ。",
    "Clinic — home",
    "تطعيم كوفيد",
    // Public services' numbers, which belong to nobody
    "999",
    "111",
    "116 123",
    "text SHOUT to 85258",
    "0800 1111",
    "0845 46 47",
];

/// What people type into the search of a health site.
const SEARCHES: &[&str] = &[
    "b12 deficiency",
    "b12 injection",
    "vitamin b6",
    "vitamin d3 1000iu",
    "covid 19 vaccine",
    "covid-19 booster 2024",
    "type 2 diabetes",
    "a&e near me",
    "111 online",
    "gp out of hours",
    "24 hour pharmacy",
    "hba1c 48 mmol/mol",
    "hpv 16",
    "h1n1",
    "4 in 1 preschool booster",
    "6 in 1 vaccine",
    "12 week scan",
    "20 week scan",
    "over 65 flu jab",
    "mmr 1 year old",
    "cd4 count",
    "t4 levels",
    "psa test 50",
    "egfr 90",
    "bmi 25",
    "5 a day",
    "co-codamol 30/500",
    "amoxicillin 500mg 3 times a day",
    "levothyroxine 25mcg",
    "fentanyl 12 mcg",
    "salbutamol 100micrograms",
    "metformin 500 mg 2x daily",
    "l5 s1 disc",
    "c5 c6 nerve",
    "ward 12",
    "fit note 7 days",
    "ehic to ghic",
    "nhs app",
    "111 option 2",
    "omega 3 6 9",
    "stage 3b ckd",
    "covid xbb 1.5",
    "g6pd",
    "factor v leiden",
    "5-ht3",
    "cyp2d6",
    "flu clinics, 2024 2025",
];

/// Pages, files and their addresses.
const PATHS: &[&str] = &[
    "/",
    "/pricing",
    "/blog/2024/05/12/spring-news/",
    "/blog/2009/05/12/old-news/",
    "/2024-05-12-news",
    "/2009-05-12-news",
    "/news/12-may-2009-flu-update",
    "/news/may-12-2009",
    "/events/2024-05-12/",
    "/events/2024-05-12T10:30:00Z",
    "/archive/1998/",
    "/p/B08N5WRWNW/dp",
    "/products/1234567/price-12.99",
    "/products/7434567890",
    "/mobile/1234567-galaxy",
    "/phone/1234567",
    "/en-gb/c/12/345/6789",
    "/page/2/of/10",
    "/page/2",
    "/wp-content/uploads/2023/11/team-photo-1024x683.jpg",
    "/assets/app-3f9a2c1b.js",
    "/assets/app.5f3c2d1a.min.css",
    "/_next/static/chunks/pages/index-9f1a2b3c4d5e.js",
    "/_nuxt/entry.d41d8cd9.css",
    "/static/media/logo.6ce24c58.svg",
    "/fonts/inter-v13-latin-regular.woff2",
    "/js/jquery-3.7.1.min.js",
    "/npm/vue@3.4.1/dist/vue.global.prod.js",
    "/npm/@fortawesome/fontawesome-free@6.5.1/css/all.min.css",
    "/img/photo@2x.png",
    "/favicon-32x32.png",
    "/conditions/type-2-diabetes",
    "/vaccines/6-in-1-infant",
    "/medicines/co-codamol-30-500",
    "/services/e1/1st-floor",
    "/find-a-gp/sw1a",
    "/phase-b1/2nd",
    "/docs/rfc/9112",
    "/api/v2.10.3/users",
    "/ods/A81001",
    "/course/cpd-2024-25",
    "/guide/nhs-number",
    "/help/articles/1234567-book-an-appointment",
    "/webinar-2024-10-01-recording",
    "/top-10-20-30-40-tips",
    "/sitemap-2.xml",
];

/// Names of campaigns, sources and terms.
const CAMPAIGNS: &[&str] = &[
    "utm_campaign_spring_sale_2024",
    "2024-q2_brand_awareness_uk",
    "flu-2024-25_reminder_wave3",
    "winter24|search|exact",
    "google_cpc_12345678",
    "pmax_health_checks_v2",
    "newsletter-2024-05-12",
    "lp1_variantB_300x250",
    "gp_practices_list_10k",
    "FB_Retargeting_Lookalike1pct_UK_25to44",
    "{adgroupid}_{keyword}",
    "120209876543210",
];

#[test]
fn rule_d3_what_only_looks_like_personal_data_is_kept() {
    let all = TEXTS.iter().chain(SEARCHES).chain(&CAMPAIGNS[..CAMPAIGNS.len() - 1]);
    let lost: Vec<_> = all.filter(|kept| text(kept) != decode::plain(kept)).map(|kept| (kept, text(kept))).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(TEXTS.len() + SEARCHES.len() + PATHS.len() + CAMPAIGNS.len() >= 200);
}

#[test]
fn rule_d3_a_search_for_health_is_kept_wherever_it_stands() {
    for kept in SEARCHES {
        assert_eq!(scrub::search_term(kept), *kept);
        let value = kept.replace('&', "%26");
        let query = scrub::scrub_path(&RawUrl::new(&format!("/s?q={}", value.replace(' ', "+"))), &["q".to_owned()]);
        assert_eq!(query, format!("/s?q={value}"));
        assert_eq!(path(&format!("/s/{}", kept.replace(' ', "%20"))), format!("/s/{kept}"));
        let slug = format!("/s/{}", kept.replace(' ', "-"));
        assert_eq!(path(&slug), slug);
    }
}

#[test]
fn rule_d3_a_path_of_things_is_kept() {
    for kept in PATHS {
        assert_eq!(path(kept), *kept);
    }
}

#[test]
fn rule_d3_a_campaigns_name_is_kept_and_its_long_number_is_a_token() {
    for kept in &CAMPAIGNS[..CAMPAIGNS.len() - 1] {
        assert_eq!(scrub::utm(&RawUrl::new(&format!("/?utm_campaign={kept}"))).utm[2], *kept);
    }
    let number = CAMPAIGNS[CAMPAIGNS.len() - 1];
    assert_eq!(scrub::utm(&RawUrl::new(&format!("/?utm_campaign={number}"))).utm[2], "[token]");
}
