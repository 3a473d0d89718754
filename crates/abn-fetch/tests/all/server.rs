//! A server of HTTP that answers as a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// How many requests came before.
    pub(crate) number: usize,
    /// The first line and the headers.
    pub(crate) head: String,
}

impl Asked {
    /// What stands between the method and the version.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    /// The first byte that is wanted.
    pub(crate) fn from(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// `200 OK`.
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The length that is claimed; otherwise the body ends with the connection.
    pub(crate) length: Option<usize>,
    pub(crate) body: Vec<u8>,
    pub(crate) then: Then,
}

/// What comes behind the body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Then {
    /// The connection is closed.
    #[default]
    Close,
    /// Nothing, for a long time.
    Silence,
    /// The body again, without end.
    Repeat,
}

impl Reply {
    pub(crate) fn status(status: &'static str) -> Self {
        Self {
            status,
            length: Some(0),
            ..Self::default()
        }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self {
            headers: vec![("Location", to.to_owned())],
            ..Self::status("302 Found")
        }
    }

    /// The whole file.
    pub(crate) fn whole(file: &[u8]) -> Self {
        Self {
            status: "200 OK",
            length: Some(file.len()),
            body: file.to_vec(),
            ..Self::default()
        }
    }

    /// The file, or what the request wants of it.
    pub(crate) fn of(file: &[u8], asked: &Asked) -> Self {
        let Some(from) = asked.from() else {
            return Self::whole(file);
        };
        let size = file.len();
        if from >= size {
            return Self {
                headers: vec![("Content-Range", format!("bytes */{size}"))],
                ..Self::status("416 Range Not Satisfiable")
            };
        }
        Self {
            status: "206 Partial Content",
            headers: vec![("Content-Range", format!("bytes {from}-{}/{size}", size - 1))],
            ..Self::whole(&file[from..])
        }
    }

    /// The same with another header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, broken off after so many bytes of the body.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    fn send(&self, to: &mut dyn Write) -> std::io::Result<()> {
        write!(to, "HTTP/1.1 {}\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(to, "{name}: {value}\r\n")?;
        }
        if let Some(length) = self.length {
            write!(to, "Content-Length: {length}\r\n")?;
        }
        write!(to, "Connection: close\r\n\r\n")?;
        to.write_all(&self.body)?;
        to.flush()?;
        match self.then {
            Then::Close => {}
            Then::Silence => thread::sleep(Duration::from_secs(600)),
            Then::Repeat => loop {
                to.write_all(&self.body)?;
            },
        }
        Ok(())
    }
}

/// A server on a port of this machine, until the tests end.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(answer, |stream| Box::new(stream))
    }

    /// A server whose connections are wrapped.
    pub(crate) fn start_with(
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let both = Arc::new((answer, wrap));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (both, noted) = (both.clone(), noted.clone());
                thread::spawn(move || {
                    let mut stream = both.1(stream.unwrap());
                    let Some(head) = read_head(&mut stream) else {
                        return;
                    };
                    let asked = {
                        let mut noted = noted.lock().unwrap();
                        let number = noted.len();
                        noted.push(Asked { number, head });
                        noted[number].clone()
                    };
                    // Whoever was asked may hang up.
                    let _ = both.0(&asked).send(&mut stream);
                });
            }
        });
        Self { port, asked }
    }

    /// A server that serves a file as servers should.
    pub(crate) fn of(file: Vec<u8>) -> Self {
        Self::start(move |asked| Reply::of(&file, asked))
    }

    /// An address of the server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The first byte that each request wanted.
    pub(crate) fn ranges(&self) -> Vec<Option<usize>> {
        self.asked().iter().map(Asked::from).collect()
    }
}

pub(crate) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// Everything up to the empty line.
pub(crate) fn read_head(stream: &mut dyn Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
