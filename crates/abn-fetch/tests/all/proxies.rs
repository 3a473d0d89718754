//! Proxies, as the environment names them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use abn_fetch::{FetchError, Options, Proxies};

use crate::server::{Reply, Server, read_head};
use crate::support::{Desk, from, known, noise};

fn through(url: &str, variables: &[(&str, &str)]) -> Options {
    let mut options = from(url);
    options.network.proxies = Proxies::from_variables(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    options
}

/// A proxy that makes tunnels: its port, and what it was asked.
pub(crate) fn tunnel() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let head = read_head(&mut client).unwrap();
            let to = head.split(' ').nth(1).unwrap().to_owned();
            noted.lock().unwrap().push(head);
            let server = TcpStream::connect(to).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            connect(client, server);
        }
    });
    (port, asked)
}

/// Copies between two connections, both ways.
fn connect(one: TcpStream, other: TcpStream) {
    for (mut from, mut to) in [
        (one.try_clone().unwrap(), other.try_clone().unwrap()),
        (other, one),
    ] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}

#[test]
fn a_proxy_is_asked_for_the_whole_address() {
    let content = noise(1_000);
    let file = content.clone();
    let proxy = Server::start(move |asked| Reply::of(&file, asked));
    let address = format!("http://me:secret@127.0.0.1:{}", proxy.port);
    let options = through("http://data.invalid:8080/set/", &[("HTTP_PROXY", &address)]);
    let mut desk = Desk::new();
    desk.leave_part(&content[..300], None);
    desk.fetch(known(&content), &options).unwrap();
    let asked = &proxy.asked()[0];
    assert_eq!(asked.target(), "http://data.invalid:8080/set/data.bin");
    assert_eq!(asked.header("host"), Some("data.invalid:8080"));
    assert_eq!(
        asked.header("proxy-authorization"),
        Some("Basic bWU6c2VjcmV0")
    );
    assert_eq!(asked.from(), Some(300));
}

#[test]
fn every_redirect_finds_its_own_proxy() {
    let near = Server::of(b"near".to_vec());
    let to = near.url("data.bin");
    let proxy = Server::start(move |_| Reply::redirect(&to));
    let address = proxy.url("");
    let variables = [("http_proxy", &*address), ("NO_PROXY", "127.0.0.1")];
    let options = through("http://data.invalid/", &variables);
    Desk::new().fetch(known(b"near"), &options).unwrap();
    assert_eq!(proxy.asked().len(), 1);
    assert_eq!(near.asked()[0].target(), "/data.bin");
    assert_eq!(near.asked()[0].header("proxy-authorization"), None);
}

#[test]
fn an_excepted_host_is_asked_itself() {
    let server = Server::of(b"x".to_vec());
    let variables = [
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("NO_PROXY", "localhost, 127.0.0.1"),
    ];
    let options = through(&server.url("data.bin"), &variables);
    Desk::new().fetch(known(b"x"), &options).unwrap();
    assert_eq!(server.asked()[0].target(), "/data.bin");
}

#[test]
fn a_proxy_that_does_not_answer_is_named_without_its_password() {
    let options = through(
        "http://data.invalid/data.bin",
        &[("HTTP_PROXY", "http://me:secret@127.0.0.1:1")],
    );
    let error = Desk::new().fetch(known(b"x"), &options).unwrap_err();
    let text = error.to_string();
    let expected = "cannot fetch http://data.invalid/data.bin through the proxy \
                    http://127.0.0.1:1, tried once";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_proxy_that_refuses_is_told_from_the_server() {
    let proxy = Server::start(|_| Reply::status("407 Proxy Authentication Required"));
    let address = proxy.url("");
    let plain = through("http://data.invalid/data.bin", &[("HTTP_PROXY", &address)]);
    let error = Desk::new().fetch(known(b"x"), &plain).unwrap_err();
    assert!(
        error.to_string().contains("the proxy asks for a password"),
        "{error}"
    );
    let encrypted = through(
        "https://data.invalid/data.bin",
        &[("HTTPS_PROXY", &address)],
    );
    let error = Desk::new().fetch(known(b"x"), &encrypted).unwrap_err();
    let FetchError::Network { source, proxy, .. } = error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("407"), "{source}");
    assert_eq!(proxy, Some(address));
}

#[test]
fn a_proxy_of_socks_is_used() {
    let server = Server::of(b"x".to_vec());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = server.port;
    // RFC 1928 without a password: the version, then the address, each confirmed.
    let proxy = thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).unwrap();
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut request = [0; 10];
        client.read_exact(&mut request).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        connect(client, TcpStream::connect(("127.0.0.1", to)).unwrap());
        request
    });
    let address = format!("socks5://127.0.0.1:{port}");
    let options = through(&server.url("data.bin"), &[("ALL_PROXY", &address)]);
    Desk::new().fetch(known(b"x"), &options).unwrap();
    let request = proxy.join().unwrap();
    assert_eq!(request[..8], [5, 1, 0, 1, 127, 0, 0, 1]);
}
