-- Everything the data dictionary names beside page views: both sides of a page, what happened within it, keys of
-- pseudonyms, bots and why. 0 and '' mean not known.
alter table events
    -- The key each pseudonym was made under; a destroyed key makes its pseudonyms unlinkable.
    add column visitor_key   UInt32 after visitor_id,
    add column login_id      UInt128 codec(ZSTD(1)) after visitor_key,   -- the site's own user id, keyed
    add column login_key     UInt32 after login_id,
    add column contact_id    UInt128 codec(ZSTD(1)) after login_key,     -- an e-mail's recipient or a caller, keyed
    add column contact_key   UInt32 after contact_id,

    -- Rows of one page view share its id; `page_views` makes one row of them.
    add column page_view_id  UInt64 codec(ZSTD(1)) after since_prev_ms,
    add column path_class    LowCardinality(String) after path,
    add column title         LowCardinality(String) after path_class,
    add column search_term   LowCardinality(String) after title,
    add column navigation    LowCardinality(String) after search_term,

    add column calling_code  LowCardinality(String) after city,
    add column ip_key        UInt32 after ip_hash,

    add column languages     LowCardinality(String) after language,
    add column viewport      LowCardinality(String) after screen,
    add column connection    LowCardinality(String) after viewport,

    -- The proxied exchange: until the last byte, and whether that came.
    add column total_ms      UInt32 codec(T64, ZSTD(1)) after response_ms,
    add column bytes         UInt64 codec(T64, ZSTD(1)) after total_ms,
    add column outcome       LowCardinality(String) after bytes,         -- complete, aborted, broken

    -- The browser's own measurements.
    add column dns_ms        UInt32 codec(T64, ZSTD(1)) after outcome,
    add column connect_ms    UInt32 codec(T64, ZSTD(1)) after dns_ms,
    add column ttfb_ms       UInt32 codec(T64, ZSTD(1)) after connect_ms,
    add column dom_ms        UInt32 codec(T64, ZSTD(1)) after ttfb_ms,
    add column load_ms       UInt32 codec(T64, ZSTD(1)) after dom_ms,
    add column fcp_ms        UInt32 codec(T64, ZSTD(1)) after load_ms,
    add column lcp_ms        UInt32 codec(T64, ZSTD(1)) after fcp_ms,
    add column inp_ms        UInt32 codec(T64, ZSTD(1)) after lcp_ms,
    add column cls_milli     UInt16 codec(T64, ZSTD(1)) after inp_ms,    -- thousandths and one; 0 = not measured

    -- What a click, a failure or a form is about.
    add column kind          LowCardinality(String) after exit_method,
    add column label         LowCardinality(String) after kind,          -- an allow-listed text, or a keyed hash
    add column target        String codec(ZSTD(1)) after label,          -- host and scrubbed path
    add column dwell_ms      UInt32 codec(T64, ZSTD(1)) after target,

    add column revenue       Decimal(18, 3) codec(ZSTD(1)) after props,
    add column currency      LowCardinality(String) after revenue,

    add column bot_reason    LowCardinality(String) after is_bot;

-- One row for each page of a visit, both sides of it: what the gateway saw of the exchange and what the browser said of
-- the page. Late parts simply add up the next time it is read: times by sum, measurements that can only grow by the
-- largest, what never changes by whichever row has it. No identifier, no bots, no rows that have expired.
create view page_views as
select
    site_id,
    min(ts)                                              as viewed_at,
    anyIf(hostname, hostname != '')                      as site,
    argMin(path, ts)                                     as page,
    any(path_class)                                      as page_class,
    anyIf(title, title != '')                            as page_title,
    anyIf(search_term, search_term != '')                as searched_for,
    multiIf(countIf(name = 'pageview' and status > 0) = 0, 'browser', countIf(name != 'pageview') = 0, 'gateway', 'both')
                                                         as seen_by,
    max(seq)                                             as step_of_visit,
    anyIf(navigation, navigation != '')                  as came_by,
    argMinIf(referrer, ts, name != 'engagement')         as referring_page,
    argMinIf(source, ts, name != 'engagement')           as traffic_source,
    argMinIf(channel, ts, name != 'engagement')          as traffic_channel,
    anyIf(utm_campaign, utm_campaign != '')              as campaign,
    any(country)                                         as visitor_country,
    any(region)                                          as visitor_region,
    any(city)                                            as visitor_city,
    any(browser)                                         as visitor_browser,
    any(os)                                              as visitor_os,
    any(device)                                          as visitor_device,
    anyIf(language, language != '')                      as visitor_language,
    anyIf(time_zone, time_zone != '')                    as visitor_time_zone,
    anyIf(screen, screen != '')                          as visitor_screen,
    anyIf(viewport, viewport != '')                      as visitor_viewport,
    max(status)                                          as http_status,
    max(response_ms)                                     as gateway_first_byte_ms,
    max(total_ms)                                        as gateway_total_ms,
    max(bytes)                                           as gateway_bytes,
    anyIf(outcome, outcome != '')                        as gateway_outcome,
    max(ttfb_ms)                                         as browser_first_byte_ms,
    max(dom_ms)                                          as browser_ready_ms,
    max(load_ms)                                         as browser_loaded_ms,
    max(fcp_ms)                                          as first_paint_ms,
    max(lcp_ms)                                          as largest_paint_ms,
    max(inp_ms)                                          as interaction_ms,
    if(max(cls_milli) = 0, null, (max(cls_milli) - 1) / 1000) as layout_shift,
    sum(engagement_ms)                                   as visible_ms,
    max(scroll_pct)                                      as scrolled_pct,
    argMaxIf(exit_method, ts, exit_method != '')         as left_by,
    argMaxIf(target, ts, exit_method != '')              as left_to
from events
where page_view_id != 0
    and name in ('pageview', 'page_loaded', 'engagement')
    and is_bot = 0
    and expires_at > today()
group by site_id, visitor_id, page_view_id;
