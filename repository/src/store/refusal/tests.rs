use super::*;
use proptest::prelude::*;

const HUSH: &str = "IQoJb3JpZ2luX2VjEA/+=";

fn hidden() -> Vec<String> {
    vec![HUSH.to_owned(), String::new()]
}

#[test]
fn code_and_message_are_kept_and_the_rest_is_not() {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The signature &lt;does not&gt; match \
         {HUSH}</Message><AWSAccessKeyId>AKID</AWSAccessKeyId><CanonicalRequest>x-amz-security-token:{HUSH}</CanonicalRequest></Error>"
    );
    let refusal = Refusal::new(403, None, &body, &hidden());
    assert_eq!(refusal.to_string(), "the store answers 403 SignatureDoesNotMatch: The signature <does not> match ***");
    assert_eq!(refusal.meaning(), Meaning::Denied);

    let google = r#"{"error":{"code":403,"message":"no storage.objects.create access","status":"PERMISSION_DENIED"}}"#;
    let text = Refusal::new(403, None, google, &[]).to_string();
    assert_eq!(text, "the store answers 403 PERMISSION_DENIED: no storage.objects.create access");
    let token = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let refusal = Refusal::new(400, None, token, &[]);
    assert_eq!(refusal.to_string(), "the store answers 400 invalid_grant: Invalid JWT Signature.");
    assert_eq!(refusal.meaning(), Meaning::Denied);
    // Azure answers HEAD with a header alone.
    let head = Refusal::new(404, Some("ContainerNotFound"), "", &[]);
    assert_eq!(
        (head.to_string().as_str(), head.meaning()),
        ("the store answers 404 ContainerNotFound", Meaning::NoBucket)
    );
    let html = Refusal::new(502, None, "<html>\r\n<h1>Bad  Gateway</h1>\n</html>", &[]);
    assert_eq!(html.to_string(), "the store answers 502: <html> <h1>Bad Gateway</h1> </html>");
    let long = Refusal::new(500, None, &"\u{e4}".repeat(10_000), &[]);
    assert!(long.to_string().len() < 600);
}

#[test]
fn a_refusal_means_one_thing() {
    for (status, code, meaning) in [
        (404, "NoSuchKey", Meaning::NotFound),
        (404, "", Meaning::NotFound),
        (404, "NoSuchBucket", Meaning::NoBucket),
        (412, "PreconditionFailed", Meaning::Exists),
        (409, "BlobAlreadyExists", Meaning::Exists),
        (409, "ConditionalRequestConflict", Meaning::Unsettled),
        (409, "", Meaning::Unsettled),
        (403, "AccessDenied", Meaning::Denied),
        (401, "", Meaning::Denied),
        (400, "ExpiredToken", Meaning::Denied),
        (400, "RequestTimeout", Meaning::Passing),
        (400, "AuthorizationHeaderMalformed", Meaning::Elsewhere),
        (400, "InvalidArgument", Meaning::Unsupported),
        (301, "PermanentRedirect", Meaning::Elsewhere),
        (307, "", Meaning::Elsewhere),
        (416, "InvalidRange", Meaning::Passing),
        (429, "", Meaning::Passing),
        (500, "InternalError", Meaning::Passing),
        (501, "NotImplemented", Meaning::Unsupported),
        (503, "SlowDown", Meaning::Passing),
        (507, "", Meaning::Full),
        (600, "", Meaning::Passing),
    ] {
        assert_eq!(Refusal::new(status, Some(code), "", &[]).meaning(), meaning, "{status} {code}");
    }
}

#[test]
fn secrets_and_queries_are_blotted_out() {
    let escaped: String = url::form_urlencoded::byte_serialize(HUSH.as_bytes()).collect();
    for text in [
        format!("failed at https://a.blob.core.windows.net/c/x?sv=1&sig=abc%3D in 3 ms: {HUSH}"),
        format!("token={escaped} and https://h/?{escaped}"),
    ] {
        let cleaned = clean(&text, &hidden());
        assert!(!cleaned.contains(HUSH) && !cleaned.contains(&escaped) && !cleaned.contains("sig="), "{cleaned}");
    }
    assert_eq!(clean("what is it? nothing\n\tmore", &[]), "what is it? nothing more");
}

proptest! {
    #[test]
    fn no_answer_panics_or_shows_a_secret(status in any::<u16>(), code in ".{0,30}", body in ".{0,300}", at in any::<prop::sample::Index>()) {
        let cut = at.index(body.chars().count() + 1);
        let body: String = body.chars().take(cut).chain(HUSH.chars()).chain(body.chars().skip(cut)).collect();
        for body in [body.clone(), format!("<Code>{body}</Code><Message>{body}"), serde_json::json!({"error": body}).to_string()] {
            let refusal = Refusal::new(status, Some(&code), &body, &hidden());
            prop_assert!(!refusal.to_string().contains(HUSH), "{refusal}");
            let _meaning: Meaning = refusal.meaning();
        }
    }
}
