//! One request on a thread of its own, so that a silent server keeps nobody from stopping.

use std::error::Error;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::{Response, StatusCode, Uri, header};
use ureq::{Body, http::HeaderMap};

use crate::blocks::BLOCK;
use crate::error::FetchError;
use crate::network::Network;
use crate::url::{parsed, redirected, without_password};

/// Blocks that wait to be written.
const WAITING: usize = 16;
/// As browsers have it, about.
const REDIRECTS: usize = 10;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) url: String,
    /// The first byte that is wanted.
    pub(crate) from: u64,
    /// Only if the file is still this one, and all of it otherwise.
    pub(crate) if_still: Option<String>,
}

/// What comes, in this order: one head, blocks, and the end; or a failure instead at any time.
#[derive(Debug)]
pub(crate) enum Piece {
    Head(Head),
    Block(Vec<u8>),
    End,
    Failed(Failure),
}

/// What stands before the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes that follow.
    pub(crate) length: Option<u64>,
    /// The first byte of those that follow, of an answer with a part of the file.
    pub(crate) first: Option<u64>,
    /// The size of the whole file, of an answer with a part of it.
    pub(crate) whole: Option<u64>,
    /// What tells this file from a later one at the same address.
    pub(crate) mark: Option<String>,
    /// How long the server wants to be left alone.
    pub(crate) wait: Option<Duration>,
}

/// Why nothing more comes.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// Whether another attempt may do better.
    pub(crate) hope: Hope,
}

#[derive(Debug)]
pub(crate) enum Cause {
    /// Of the connection, with the proxy.
    Network(Box<dyn Error + Send + Sync>, Option<String>),
    Other(Box<FetchError>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hope {
    None,
    /// If the server was reached before: else its name or its port is wrong.
    IfReachedBefore,
    Some,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self {
            cause: Cause::Other(error.into()),
            hope: Hope::None,
        }
    }
}

/// Sends the request. When the receiver is dropped the thread ends with its next block, or when the
/// patience of `network` does.
///
/// # Errors
/// The system has no thread.
pub(crate) fn send(network: &Network, request: Request) -> io::Result<Receiver<Piece>> {
    let (sender, receiver) = sync_channel(WAITING);
    let network = network.clone();
    let run = move || {
        let last = match exchange(&network, &request, &sender) {
            Ok(()) => Piece::End,
            Err(failure) => Piece::Failed(failure),
        };
        // Nobody may be listening any more.
        let _ = sender.send(last);
    };
    thread::Builder::new().name("fetch".to_owned()).spawn(run)?;
    Ok(receiver)
}

fn exchange(network: &Network, request: &Request, to: &SyncSender<Piece>) -> Result<(), Failure> {
    let mut url = parsed(&request.url)?;
    for _ in 0..=REDIRECTS {
        let (response, proxy) = get(network, request, &url)?;
        if let Some(location) = location(&response) {
            url = redirected(&url, &location)?;
            continue;
        }
        if to.send(Piece::Head(head(&response))).is_ok() {
            blocks(response.into_body(), to).map_err(|error| network_failure(error, proxy))?;
        }
        return Ok(());
    }
    Err(FetchError::Redirects {
        url: without_password(&request.url),
        limit: REDIRECTS,
    }
    .into())
}

/// The answer, and through which proxy it came.
fn get(
    network: &Network,
    request: &Request,
    url: &Uri,
) -> Result<(Response<Body>, Option<String>), Failure> {
    let (agent, proxied) = network.agent(url)?;
    let mut get = agent.get(url).header(header::CONNECTION, "close");
    if request.from > 0 {
        get = get.header(header::RANGE, format!("bytes={}-", request.from));
        if let Some(mark) = &request.if_still {
            get = get.header(header::IF_RANGE, mark);
        }
    }
    let mut proxy = None;
    if let Some(proxied) = proxied {
        if let Some(password) = proxied.password {
            get = get.header(header::PROXY_AUTHORIZATION, password);
        }
        proxy = Some(proxied.shown);
    }
    match get.call() {
        Ok(response) => Ok((response, proxy)),
        Err(error) => Err(network_failure(error, proxy)),
    }
}

fn network_failure(error: ureq::Error, proxy: Option<String>) -> Failure {
    use io::ErrorKind::{ConnectionRefused, InvalidData, InvalidInput, NotFound};
    let hope = match &error {
        ureq::Error::Io(error) => match error.kind() {
            // What TLS and the parsing of headers find wrong.
            InvalidData | InvalidInput => Hope::None,
            ConnectionRefused | NotFound => Hope::IfReachedBefore,
            // Of names there is no kind.
            _ if error.to_string().contains("lookup") => Hope::IfReachedBefore,
            _ => Hope::Some,
        },
        ureq::Error::HostNotFound => Hope::IfReachedBefore,
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => Hope::Some,
        _ => Hope::None,
    };
    Failure {
        cause: Cause::Network(error.into(), proxy),
        hope,
    }
}

/// Where a redirect leads.
fn location(response: &Response<Body>) -> Option<String> {
    let moved = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    text(response.headers(), header::LOCATION).filter(|_| moved)
}

fn head(response: &Response<Body>) -> Head {
    let headers = response.headers();
    let range = text(headers, header::CONTENT_RANGE);
    let (first, whole) = range.as_deref().map_or((None, None), content_range);
    let wait = text(headers, header::RETRY_AFTER).and_then(|text| text.parse().ok());
    Head {
        status: response.status().as_u16(),
        length: response.body().content_length(),
        first: first.filter(|_| response.status() == StatusCode::PARTIAL_CONTENT),
        whole,
        mark: mark(headers),
        wait: wait.map(Duration::from_secs),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.trim().to_owned())
}

/// A strong `ETag`, or the time of the last change.
fn mark(headers: &HeaderMap) -> Option<String> {
    text(headers, header::ETAG)
        .filter(|tag| tag.starts_with('"'))
        .or_else(|| text(headers, header::LAST_MODIFIED))
}

/// The first byte and the size of the file in `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`.
fn content_range(text: &str) -> (Option<u64>, Option<u64>) {
    let Some((range, whole)) = text
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('/'))
    else {
        return (None, None);
    };
    let first = range
        .split_once('-')
        .and_then(|(first, _)| first.trim().parse().ok());
    (first, whole.trim().parse().ok())
}

fn blocks(mut body: Body, to: &SyncSender<Piece>) -> Result<(), ureq::Error> {
    let mut reader = body.as_reader();
    loop {
        let mut block = vec![0; BLOCK];
        let read = match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        block.truncate(read);
        if to.send(Piece::Block(block)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_servers_write_them() {
        for (text, expected) in [
            ("bytes 5-9/10", (Some(5), Some(10))),
            ("bytes 5-9/*", (Some(5), None)),
            ("bytes */10", (None, Some(10))),
            ("lines 5-9/10", (None, None)),
            ("bytes 5-9", (None, None)),
            ("bytes -9/-10", (None, None)),
            ("", (None, None)),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }

    #[test]
    fn weak_tags_do_not_tell_bytes_apart() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, "W/\"a\"".parse().unwrap());
        assert_eq!(mark(&headers), None);
        headers.insert(header::LAST_MODIFIED, "Mon, 1 Jan".parse().unwrap());
        assert_eq!(mark(&headers).unwrap(), "Mon, 1 Jan");
        headers.insert(header::ETAG, "\"a\"".parse().unwrap());
        assert_eq!(mark(&headers).unwrap(), "\"a\"");
    }
}
