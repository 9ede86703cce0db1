//! Answers that do not come, come late, come cut, or come with a refusal.

use crate::scenario::{List, check, scenario};
use crate::server::Answer;

fn status_with(status: u16, name: &str, value: &str) -> Answer {
    Answer::Status(status, vec![(name.to_owned(), value.to_owned())], String::new())
}

const ENVELOPE: &str = "envelope = { code = '$.code', success = [0], message = '$.msg' }";

/// Short timeouts, for the scenarios that wait for one; not so short that a busy machine runs into them.
const IMPATIENT: &str = "read_timeout = '1s'\ntotal_timeout = '2s'";

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    check(vec![
        scenario("429 with retry-after in seconds", List::Token)
            .answer(2, status_with(429, "Retry-After", "0")),
        scenario("429 with retry-after as a date that has passed", List::Token).answer(
            2,
            status_with(429, "Retry-After", "Sat, 01 Jun 2024 00:00:00 GMT"),
        ),
        scenario("429 without retry-after", List::Token).status(2, 429),
        scenario("503 on the first page", List::Pages).status(1, 503),
        scenario("500, 502, 503 and 504 one after another", List::Token)
            .status(2, 500)
            .status(3, 502)
            .status(4, 503)
            .status(5, 504)
            .requests(7),
        scenario("408 and 425", List::Token).status(1, 408).status(3, 425),
        scenario("the connection is reset in the middle of a body", List::Token)
            .answer(2, Answer::ResetAfter(100)),
        scenario("the connection is reset before a body", List::Token).answer(2, Answer::ResetAfter(0)),
        scenario("the connection ends in the middle of a body", List::Token).answer(3, Answer::EndAfter(50)),
        scenario("the connection is closed without an answer", List::Token).answer(1, Answer::Close),
        scenario("a whole answer with cut JSON", List::Token).answer(2, Answer::CutJson(200)),
        scenario("an empty answer", List::Token).answer(2, Answer::Body(String::new())),
        scenario("a login page instead of JSON, once", List::Token)
            .answer(2, Answer::Body("<html>请登录</html>".to_owned())),
        scenario("HTTP 200 with the platform's own code 500", List::Token)
            .top(ENVELOPE)
            .answer(2, Answer::Code(500)),
        scenario("HTTP 200 with the platform's own code 429", List::Token)
            .top(ENVELOPE)
            .answer(2, Answer::Code(429)),
        scenario("a trouble on every second request", List::Pages)
            .status(2, 500)
            .answer(4, Answer::ResetAfter(10))
            .answer(6, Answer::CutJson(30))
            .status(8, 429),
    ])
    .await;
}

#[tokio::test]
async fn answers_that_do_not_come_are_given_up_and_asked_for_again() {
    check(vec![
        scenario("no answer at all, once", List::Token)
            .limits(IMPATIENT)
            .answer(2, Answer::Silence),
        scenario("a body that drips, once", List::Token)
            .limits(IMPATIENT)
            .answer(2, Answer::Drip),
    ])
    .await;
}

#[tokio::test]
async fn failures_that_do_not_pass_say_so() {
    let always = |name, list, answer: &Answer| {
        (1..=5)
            .fold(scenario(name, list), |s, request| {
                s.answer(request, answer.clone())
            })
            .requests(5)
    };
    let status = |status| Answer::Status(status, Vec::new(), String::new());
    check(vec![
        always("429 for ever", List::Token, &status(429)).fails("RATE_LIMITED", 0),
        always("503 for ever", List::Token, &status(503)).fails("SOURCE_UNAVAILABLE", 0),
        always("resets for ever", List::Token, &Answer::ResetAfter(10)).fails("SOURCE_UNREACHABLE", 0),
        always("cut JSON for ever", List::Token, &Answer::CutJson(90)).fails("RESPONSE_UNREADABLE", 0),
        // A busy machine may not even send a request in that time, so they are not counted.
        (1..=5)
            .fold(scenario("silence for ever", List::Token), |s, request| {
                s.answer(request, Answer::Silence)
            })
            .limits("read_timeout = '50ms'\ntotal_timeout = '60ms'")
            .fails("SOURCE_TIMEOUT", 0),
        scenario("drip for ever", List::Single)
            .limits("tries = 2\nread_timeout = '5s'\ntotal_timeout = '100ms'")
            .answer(1, Answer::Drip)
            .answer(2, Answer::Drip)
            .fails("SOURCE_TIMEOUT", 0),
        scenario("retry-after longer than is waited for", List::Token)
            .answer(1, status_with(429, "Retry-After", "86400"))
            .fails("RATE_LIMITED", 0)
            .says("asks to wait 1 d, longer than limits.retry_after_max (10 min)")
            .requests(1),
        scenario("503 with a retry-after longer than is waited for", List::Token)
            .limits("retry_after_max = '90s'")
            .answer(1, status_with(503, "Retry-After", "7200"))
            .fails("SOURCE_UNAVAILABLE", 0)
            .says("asks to wait 2 h, longer than limits.retry_after_max (1 min 30 s)")
            .requests(1),
    ])
    .await;
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    check(vec![
        scenario("400", List::Pages)
            .status(1, 400)
            .fails("REQUEST_REFUSED", 0)
            .requests(1),
        scenario("401 without a token to renew", List::Pages)
            .status(1, 401)
            .fails("UNAUTHORIZED", 0)
            .requests(1),
        scenario("403", List::Pages)
            .status(2, 403)
            .fails("FORBIDDEN", 0)
            .requests(2),
        scenario("404: the list is lost", List::Pages)
            .status(1, 404)
            .fails("STREAM_LOST", 0)
            .requests(1),
        scenario("410: the position is gone", List::Feed)
            .status(2, 410)
            .fails("POSITION_GONE", 10)
            .says("`lianjing source reset NAME --stream orders`")
            .requests(2),
        scenario("a redirect to another host", List::Pages)
            .answer(
                1,
                status_with(302, "Location", "https://elsewhere.example/orders"),
            )
            .fails("OTHER_HOST", 0)
            .requests(1),
        scenario("an unknown code of the platform's own", List::Pages)
            .top(ENVELOPE)
            .answer(1, Answer::Code(7001))
            .fails("PLATFORM_REFUSED", 0)
            .requests(1),
        scenario("an answer without the platform's own code", List::Pages)
            .top(ENVELOPE)
            .answer(1, Answer::Body(r#"{"data":{"list":[],"total":0}}"#.to_owned()))
            .fails("RESPONSE_SHAPE", 0)
            .requests(1),
        scenario("an answer larger than the limit", List::Pages)
            .limits("body_bytes_max = 300")
            .fails("RESPONSE_TOO_LARGE", 0)
            .requests(1),
        scenario("the list has moved to another member", List::Pages)
            .answer(
                1,
                Answer::Body(r#"{"code":0,"data":{"total":2,"rows":[{},{}]}}"#.to_owned()),
            )
            .fails("RESPONSE_SHAPE", 0)
            .requests(1),
        scenario("a refusal under HTTP 200 without an envelope", List::Pages)
            .top("auth = { kind = 'query', name = 'k', value = { file = 'secret' } }")
            .answer(
                1,
                Answer::Body(r#"{"code":1003,"msg":"应用未授权 s3cr3t","data":{"list":null}}"#.to_owned()),
            )
            .fails("RESPONSE_SHAPE", 0)
            .says(r#"the answer is {"code":1003,"msg":"应用未授权 ***","data":{"list":null}}"#)
            .says("envelope")
            .requests(1),
        scenario("what should be a list is an object", List::Pages)
            .answer(
                1,
                Answer::Body(r#"{"code":0,"data":{"total":2,"list":{"a":1}}}"#.to_owned()),
            )
            .fails("RESPONSE_SHAPE", 0),
        scenario("null instead of the list", List::Pages)
            .answer(
                1,
                Answer::Body(r#"{"code":0,"data":{"total":0,"list":null}}"#.to_owned()),
            )
            .fails("RESPONSE_SHAPE", 0),
        scenario("the next page is on another host", List::NextUrl)
            .answer(
                1,
                Answer::Body(r#"{"data":{"list":[],"nextUrl":"http://169.254.169.254/x"}}"#.to_owned()),
            )
            .fails("OTHER_HOST", 0)
            .requests(1),
        scenario("the next page is on another port", List::Link)
            .answer(
                1,
                Answer::Status(
                    200,
                    vec![("Link".to_owned(), "<http://127.0.0.1:1/x>; rel=next".to_owned())],
                    r#"{"data":{"list":[]}}"#.to_owned(),
                ),
            )
            .fails("OTHER_HOST", 0)
            .requests(1),
    ])
    .await;
}
