//! A repository on a store that speaks S3, over real connections.

use crate::s3::{Answer, S3};
use crate::support::*;
use object_store::ObjectStore;
use repository::probe::probe;
use repository::{CreateOptions, Error, ErrorKind, Location, Properties, Repository, no_progress};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN==";

fn connect(url: &str, given: &[(&str, &str)]) -> Arc<dyn ObjectStore> {
    let location = Location::parse(url).unwrap();
    let given: BTreeMap<String, String> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let properties = Properties::parse(&location, &given).unwrap();
    repository::connect(&location, &properties, |_| unreachable!("the location is not local")).unwrap()
}

fn on(s3: &S3, url: &str) -> Arc<dyn ObjectStore> {
    let endpoint = s3.endpoint();
    let keys = [("aws.s3.access_key", "AKID"), ("aws.s3.secret_key", SECRET), ("aws.s3.session_token", TOKEN)];
    connect(url, &[&keys[..], &[("aws.s3.endpoint", &endpoint)]].concat())
}

/// An error with its causes, and as a programmer would print it.
fn said(failed: &Error) -> String {
    format!("{} {failed:?}", env::explain(failed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_lives_below_its_prefix() {
    let s3 = S3::start().await;
    let store = on(&s3, "s3://bucket/a/b");
    let profile = probe(&store).await.unwrap();
    profile.require(false).unwrap();
    assert_eq!(s3.keys(), Vec::<String>::new(), "the probe leaves nothing");
    let options = CreateOptions { name: "r".into(), now_ms: 1, profile: Some(profile), single_writer: false };
    let repository = Repository::create_with(Arc::clone(&store), options).await.unwrap();
    let world = world(4, 3 << 20);
    back_up(&repository, "one", &world).await;
    back_up(&repository, "two", &world).await;
    assert!(s3.keys().iter().all(|key| key.starts_with("a/b/")), "{:?}", s3.keys());
    assert!(s3.requests().iter().any(|request| request.contains("partNumber=2")), "large files go in parts");

    let opened = Repository::open(on(&s3, "s3a://bucket/a/b/")).await.unwrap();
    assert_eq!(opened.identity(), repository.identity());
    assert_eq!(restore(&opened, "two").await.unwrap(), world);
    opened.drop_snapshot("one", None).await.unwrap();
    opened.drop_snapshot("two", None).await.unwrap();
    let plan = opened.sweep_plan(&no_progress()).await.unwrap();
    opened.sweep(&plan, &no_progress()).await.unwrap();
    assert!(!s3.keys().iter().any(|key| key.contains("/data/")), "{:?}", s3.keys());
    opened.check_log().await.unwrap();
    assert_eq!(Repository::open(on(&s3, "s3://bucket/a")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_commit_is_found_with_one_request_of_a_listing() {
    let s3 = S3::start().await;
    let store = on(&s3, "s3://bucket");
    Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
    // Older than any commit, as a listing sees it.
    for number in 0..2500 {
        s3.put(&format!("commits/9-{number:04}"), "x");
    }
    s3.forget_requests();
    let repository = Repository::open(store).await.unwrap();
    repository.generation().await.unwrap();
    let requests = s3.requests();
    let listings: Vec<_> = requests.iter().filter(|request| request.contains("list-type")).collect();
    assert_eq!(listings.len(), 1, "{requests:#?}");
    assert!(requests.len() <= 6, "{requests:#?}");
}

/// S3 answers 409 to a put that meets another one under way: that says nothing about who wins.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_in_flight_and_a_lost_answer_are_settled_by_looking() {
    let s3 = S3::start().await;
    let repository = Repository::create(on(&s3, "s3://bucket/x"), "r", 1).await.unwrap();
    let mut seen = BTreeMap::<String, u32>::new();
    s3.before(move |request| {
        if request.method != "PUT" {
            return None;
        }
        let nth = seen.entry(request.key.clone()).or_default();
        *nth += 1;
        (*nth == 1).then(|| Answer::refusal(409, "ConditionalRequestConflict", ""))
    });
    let mut lost = BTreeMap::<String, u32>::new();
    s3.after(move |request| {
        if request.method != "PUT" || !request.key.contains("commits/") {
            return None;
        }
        let nth = lost.entry(request.key.clone()).or_default();
        *nth += 1;
        (*nth == 1).then(|| Answer::refusal(500, "InternalError", ""))
    });
    let world = world(2, 1000);
    back_up(&repository, "s", &world).await;
    assert_eq!(restore(&repository, "s").await.unwrap(), world);
    repository.check_log().await.unwrap();
    // Open and commit: nobody else was there, so no generation was given up.
    assert_eq!(repository.generation().await.unwrap().0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_refuses_is_told_by_what_it_asks_for() {
    for (status, code, kind, text) in [
        (403, "AccessDenied", ErrorKind::Denied, "the store answers 403 AccessDenied: as the test wants it"),
        (400, "ExpiredToken", ErrorKind::Denied, "ExpiredToken"),
        (404, "NoSuchBucket", ErrorKind::NotFound, "the bucket does not exist"),
        (301, "PermanentRedirect", ErrorKind::Invalid, "check region and endpoint"),
        (400, "AuthorizationHeaderMalformed", ErrorKind::Invalid, "check region and endpoint"),
        (507, "XMinioStorageFull", ErrorKind::Full, "XMinioStorageFull"),
        (501, "NotImplemented", ErrorKind::Unsupported, "the store answers 501"),
        (503, "SlowDown", ErrorKind::Unavailable, "SlowDown"),
    ] {
        let s3 = S3::start().await;
        let store = on(&s3, "s3://bucket/x");
        Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
        let repository = Repository::open(store).await.unwrap();
        // A store that repeats the request, its signature and its token.
        s3.before(move |request| {
            let talk = format!("<StringToSign>{}</StringToSign><Key>{SECRET}</Key>", request.head);
            Some(Answer::refusal(status, code, &talk))
        });
        for failed in [
            repository.snapshots().await.map(drop).unwrap_err(),
            repository.drop_snapshot("x", None).await.map(drop).unwrap_err(),
            Repository::open(on(&s3, "s3://bucket/x")).await.map(drop).unwrap_err(),
            repository.sweep_plan(&no_progress()).await.map(drop).unwrap_err(),
        ] {
            // HEAD has no body; GET and LIST tell.
            assert_eq!(failed.kind(), kind, "{code}: {failed:?}");
            let said = said(&failed);
            assert!(said.contains(text), "{code}: {said}");
            assert!(!said.contains(SECRET) && !said.contains(TOKEN) && !said.contains("Signature"), "{code}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_is_in_no_error() {
    let s3 = S3::start().await;
    let endpoint = format!("{}/account", s3.endpoint());
    let given = [
        ("azure.blob.storage_account", "account"),
        ("azure.blob.sas_token", "sv=2024-01-01&sp=rwdl&sig=hush%2Fhush%3D"),
        ("azure.blob.endpoint", &endpoint),
    ];
    let store = connect("az://container/x", &given);
    let asked = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&asked);
    s3.before(move |request| {
        noted.fetch_or(request.head.contains("sig=hush"), Ordering::SeqCst);
        let message = format!("<Message>no {}</Message>", request.head);
        Some(Answer::new(403, format!("<Error><Code>AuthenticationFailed</Code>{message}</Error>")))
    });
    let mut failures = vec![Repository::open(Arc::clone(&store)).await.map(drop).unwrap_err()];
    failures.push(Repository::create(Arc::clone(&store), "r", 1).await.map(drop).unwrap_err());
    failures.push(probe(&store).await.map(drop).unwrap_err());
    assert!(asked.load(Ordering::SeqCst), "the signature is sent");
    // And when nobody answers.
    let gone = [given[0], given[1], ("azure.blob.endpoint", "http://127.0.0.1:1/account")];
    failures.push(probe(&connect("az://container/x", &gone)).await.map(drop).unwrap_err());
    for failed in &failures {
        let said = said(failed);
        assert!(!said.contains("hush") && !said.contains("sig="), "{said}");
    }
    let kinds: Vec<_> = failures.iter().map(Error::kind).collect();
    assert_eq!(kinds, [ErrorKind::Denied, ErrorKind::Denied, ErrorKind::Denied, ErrorKind::Unavailable]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_used_is_told_by_name_with_what_to_do() {
    let s3 = S3::start().await;
    s3.before(|_| Some(Answer::refusal(403, "AccessDenied", "")));
    let location = Location::parse("s3://bucket/x").unwrap();
    let failed = location.blame(probe(&on(&s3, "s3://bucket/x")).await.unwrap_err());
    let text = env::explain(&failed);
    assert!(text.starts_with("s3://bucket/x cannot be used for a repository; check the credentials"), "{text}");
    assert!(text.contains("403 AccessDenied"), "{text}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let location = Location::parse(&format!("file://{}/below", file.display())).unwrap();
    let failed = location.blame(probe(&repository::local(&file.join("below"))).await.unwrap_err());
    let text = env::explain(&failed);
    assert!(text.contains(&format!("file://{}/below cannot be used for a repository; ", file.display())), "{text}");
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
}

/// Of five parts one meets a store that is busy, three times; then the answer to the upload's end is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_failed_is_sent_again_and_the_others_are_not() {
    let s3 = S3::start().await;
    let repository = Repository::create(on(&s3, "s3://bucket/x"), "r", 1).await.unwrap();
    let mut left = 3;
    s3.before(move |request| {
        let busy = request.method == "PUT" && request.query.get("partNumber").is_some_and(|number| number == "3");
        if !busy || left == 0 {
            return None;
        }
        left -= 1;
        Some(Answer::refusal(503, "SlowDown", ""))
    });
    let mut lost = false;
    s3.after(move |request| {
        let end = request.method == "POST" && request.query.contains_key("uploadId");
        (end && !std::mem::replace(&mut lost, true)).then(|| Answer::refusal(500, "InternalError", ""))
    });
    let world = World::from([(1, [("1-0.parquet".to_owned(), noise(7, 5 << 20))].into())]);
    s3.forget_requests();
    back_up(&repository, "s", &world).await;
    let requests = s3.requests();
    let count = |what: &str| requests.iter().filter(|request| request.contains(what)).count();
    let parts: Vec<usize> = (1..=5).map(|number| count(&format!("partNumber={number}&"))).collect();
    assert_eq!(parts, [1, 1, 4, 1, 1], "{requests:#?}");
    assert_eq!(count("uploads"), 1, "{requests:#?}");
    assert_eq!(restore(&repository, "s").await.unwrap(), world);
}
