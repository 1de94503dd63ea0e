//! Who asks: what lands in the table of the agents of programs and of people (sources and licences beside the files).

use serde_json::Value;

use crate::support::gateway::Gateway;
use crate::support::http::Connection;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

const CRAWLERS: &str = include_str!("../data/user-agents/crawlers.txt");
const PEOPLE: &str = include_str!("../data/user-agents/people.txt");

/// Asks for `/KIND/NUMBER` as each of the agents.
fn visit(gateway: &Gateway, cookies: &str, kind: &str, agents: &str) -> usize {
    let mut connection = Connection::open(gateway.address);
    for (number, agent) in agents.lines().enumerate() {
        connection.send(format!(
            "GET /{kind}/{number} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nUser-Agent: {agent}\r\n\
             Cookie: {cookies}\r\n\r\n",
            gateway.address
        ));
        assert_eq!(connection.answer().status, 200, "{agent}");
    }
    agents.lines().count()
}

fn number(value: &Value) -> usize {
    value.to_string().trim_matches('"').parse().expect("a number")
}

#[test]
fn programs_are_bots_in_the_table_and_people_are_not() {
    let gateway = Gateway::start(Site::start().address, "");
    let visitor = Visitor::who_accepts(&gateway);
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (crawlers, people) = (
        visit(&gateway, &cookies.join("; "), "crawler", CRAWLERS),
        visit(&gateway, &cookies.join("; "), "person", PEOPLE),
    );
    assert!(crawlers > 2000 && people > 900, "{crawlers} {people}");
    let sql = "select splitByChar('/', path)[2] as kind, count() as n, countIf(is_bot = 1) as bots, \
               countIf((is_bot = 1) != (bot_reason != '')) as unexplained from consentry.events group by kind order by kind";
    let rows = crate::support::eventually("all of them are rows", || {
        let rows = gateway.query(sql);
        let all: usize = rows.iter().map(|row| number(&row["n"])).sum();
        (all == crawlers + people).then_some(rows)
    });
    let bots = |kind: usize| number(&rows[kind]["bots"]) as f64;
    assert!(bots(0) >= 0.995 * crawlers as f64, "of {crawlers} crawlers {} are bots", bots(0));
    assert!(bots(1) <= 0.001 * people as f64, "of {people} people {} are bots", bots(1));
    assert!(rows.iter().all(|row| number(&row["unexplained"]) == 0), "{rows:?}");
}
