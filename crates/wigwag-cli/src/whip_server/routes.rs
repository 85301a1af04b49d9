//! What is asked for by HTTP, and what is answered: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep), and pages for both.

use super::broadcast::Broadcast;
use super::offer::{Refused, Role};
use super::streams::Patched;
use crate::failure::Failure;
use crate::http::{Listener, Request, Response, Stream, answer};
use std::net::IpAddr;
use std::time::Duration;
use std::{fmt, io};

/// A large offer of a browser has 10,000 bytes, one with candidates some more.
const CONTENT_LEN_MAX: usize = 128 << 10;
/// How long a client may take to send it.
const CONTENT_TIME_MAX: Duration = Duration::from_secs(10);
/// In seconds.
const RETRY_AFTER: &str = "2";
const OFFER: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

static PAGE: Response = Response::new(200, "text/html; charset=utf-8", include_str!("page/index.html"));
static STYLE: Response = Response::new(200, "text/css; charset=utf-8", include_str!("page/style.css"));
static SCRIPT: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/app.js"));
static CLIENT: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/client.js"));

/// What publishers and viewers must know; nothing if there is none.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Tokens {
    /// What publishers must know (as OBS's "bearer token"); without, other sites' pages may not publish
    #[arg(long = "publish-token", value_name = "TOKEN", value_parser = parse_token)]
    publish: Option<Token>,
    /// What viewers must know; without, other sites' pages may not watch
    #[arg(long = "watch-token", value_name = "TOKEN", value_parser = parse_token)]
    watch: Option<Token>,
}

/// RFC 6750 §2.1: a `b64token`.
#[derive(Clone)]
struct Token(String);

fn parse_token(text: &str) -> Result<Token, String> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let token = Some(text).filter(|text| !text.is_empty() && text.bytes().all(is_known));
    token.map(|text| Token(text.to_owned())).ok_or_else(|| "write letters, digits and any of - . _ ~ + / =".to_owned())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// In a time that tells nothing but the length.
    fn is(&self, given: &str) -> bool {
        let differ = self.0.bytes().zip(given.bytes()).fold(0, |differ, (ours, theirs)| differ | (ours ^ theirs));
        self.0.len() == given.len() && differ == 0
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Resource<'a> {
    File(&'static Response),
    Endpoint(Role, &'a str),
    Session(&'a str),
    BadName,
    Unknown,
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Self {
        let Some(path) = path.strip_prefix('/') else { return Self::Unknown };
        let segments: Vec<_> = path.split('/').collect();
        match segments[..] {
            ["" | "index.html"] => Self::File(&PAGE),
            ["style.css"] => Self::File(&STYLE),
            ["app.js"] => Self::File(&SCRIPT),
            ["client.js"] => Self::File(&CLIENT),
            ["publish" | "watch" | "whip" | "whep", name] if !is_name(name) => Self::BadName,
            ["publish" | "watch", _] => Self::File(&PAGE),
            ["whip", name] => Self::Endpoint(Role::Publisher, name),
            ["whep", name] => Self::Endpoint(Role::Viewer, name),
            ["session", id] => Self::Session(id),
            _ => Self::Unknown,
        }
    }
}

/// It is a name of a `MediaStream`, too (RFC 8830 §2).
fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_known)
}

/// Serves until the process ends.
pub(super) fn serve(listener: Listener, broadcast: Broadcast, tokens: Tokens) -> Result<(), Failure> {
    let routes = Routes { broadcast, tokens, listen: listener.ip() };
    listener.serve_in_background(move |stream, request| routes.serve(stream, request))
}

#[derive(Clone)]
struct Routes {
    broadcast: Broadcast,
    tokens: Tokens,
    listen: IpAddr,
}

impl Routes {
    fn serve(&self, mut stream: Stream, mut request: Request) -> io::Result<()> {
        let with_body = request.method != "HEAD";
        let response = self.respond(&mut stream, &mut request).unwrap_or_else(|response| response);
        answer(stream, &response, with_body)
    }

    fn respond(&self, stream: &mut Stream, request: &mut Request) -> Result<Response, Response> {
        let path = request.path.clone();
        match (Resource::of(&path), request.method.as_str()) {
            (Resource::File(file), "GET" | "HEAD") => Ok(file.clone()),
            (Resource::File(_), _) => Err(method_not_allowed("GET, HEAD")),
            (Resource::Endpoint(role, name), _) => {
                let is_open = self.token(role).is_some();
                let result = self.endpoint(stream, request, role, name);
                let share = |response| if is_open { shared(response) } else { response };
                result.map(share).map_err(share)
            }
            // Whoever knows its name has begun it.
            (Resource::Session(id), _) => self.session(stream, request, id).map(shared).map_err(shared),
            (Resource::BadName, _) => Err(Response::text(404, "Names have 1 to 64 letters, digits, - and _.")),
            (Resource::Unknown, _) => Err(Response::text(404, "Publish to /whip/NAME, watch /whep/NAME, or open /.")),
        }
    }

    /// RFC 9725 §4.2.
    fn endpoint(
        &self,
        stream: &mut Stream,
        request: &mut Request,
        role: Role,
        name: &str,
    ) -> Result<Response, Response> {
        match request.method.as_str() {
            "OPTIONS" => Ok(Response::empty(200)
                .with_header("Accept-Post", OFFER)
                .with_header("Allow", "OPTIONS, GET, HEAD, POST")),
            // There is nothing to be seen (RFC 9725 §4.1).
            "GET" | "HEAD" => Ok(Response::empty(204)),
            "POST" => {
                self.admit(request, role)?;
                let offer = content(stream, request, OFFER)?;
                let created = self.broadcast.begin(role, name.to_owned(), offer).map_err(refusal)?;
                let response = Response::empty(201).with_header("Location", format!("/session/{}", created.id));
                Ok(response.with_header("ETag", created.etag).with_body(OFFER, created.answer))
            }
            _ => Err(method_not_allowed("OPTIONS, GET, HEAD, POST")),
        }
    }

    /// RFC 9725 §4.3.
    fn session(&self, stream: &mut Stream, request: &mut Request, id: &str) -> Result<Response, Response> {
        match request.method.as_str() {
            "OPTIONS" => Ok(Response::empty(200)
                .with_header("Accept-Patch", FRAGMENT)
                .with_header("Allow", "OPTIONS, GET, HEAD, PATCH, DELETE")),
            "GET" | "HEAD" => Ok(Response::empty(204)),
            "PATCH" => {
                let if_match = request.header("if-match").map(str::to_owned);
                let fragment = content(stream, request, FRAGMENT)?;
                match self.broadcast.patch(id.to_owned(), if_match, fragment).map_err(refusal)? {
                    Patched::Taken => Ok(Response::empty(204)),
                    Patched::Restarted { etag, fragment } => {
                        Ok(Response::empty(200).with_header("ETag", etag).with_body(FRAGMENT, fragment))
                    }
                }
            }
            "DELETE" => self.broadcast.end(id.to_owned()).map(|()| Response::empty(200)).map_err(refusal),
            _ => Err(method_not_allowed("OPTIONS, GET, HEAD, PATCH, DELETE")),
        }
    }

    const fn token(&self, role: Role) -> Option<&Token> {
        match role {
            Role::Publisher => self.tokens.publish.as_ref(),
            Role::Viewer => self.tokens.watch.as_ref(),
        }
    }

    /// Who knows the token, or where none is wanted, everybody but the pages of other sites, which would act for their visitors.
    fn admit(&self, request: &Request, role: Role) -> Result<(), Response> {
        let given = request.header("authorization").and_then(|value| value.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        match self.token(role) {
            Some(token) if given.is_some_and(|given| token.is(given)) => Ok(()),
            Some(_) => Err(Response::text(401, "This needs the right token: Authorization: Bearer TOKEN.")
                .with_header("WWW-Authenticate", "Bearer")),
            None if request.is_same_origin(self.listen) => Ok(()),
            None => Err(Response::text(
                403,
                "Pages of other sites, or by another name than localhost, need a token: start the server with --publish-token or --watch-token.",
            )),
        }
    }
}

/// Of this media type, and text.
fn content(stream: &mut Stream, request: &mut Request, media_type: &str) -> Result<String, Response> {
    if !request.has_content_type(media_type) {
        return Err(Response::text(415, format!("The content must be {media_type}.")));
    }
    stream.allow(CONTENT_TIME_MAX);
    let content = request.read_content(stream, CONTENT_LEN_MAX);
    // Of who is gone, nobody reads the answer.
    let content = content.map_err(|refusal| refusal.response().unwrap_or_else(|| Response::empty(400)))?;
    String::from_utf8(content).map_err(|_| Response::text(400, "The content is no text."))
}

fn refusal(Refused { status, why }: Refused) -> Response {
    let response = Response::text(status, why + "\n");
    match status {
        409 | 503 => response.with_header("Retry-After", RETRY_AFTER),
        _ => response,
    }
}

fn method_not_allowed(allowed: &str) -> Response {
    Response::text(405, format!("Here are {allowed}.")).with_header("Allow", allowed)
}

/// Pages of all sites may read it (CORS): they know a token, or the name of a session.
fn shared(response: Response) -> Response {
    response
        .with_header("Access-Control-Allow-Origin", "*")
        .with_header("Access-Control-Allow-Methods", "POST, PATCH, DELETE")
        .with_header("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
        .with_header("Access-Control-Expose-Headers", "Location, ETag, Accept-Post, Retry-After")
}
