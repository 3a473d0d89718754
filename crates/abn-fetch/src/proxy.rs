//! Proxies as the environment names them, and how they are asked.

use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, Error, config::Config};

use crate::url::without_password;

/// The proxies to go through: one for each kind of address, and the hosts that need none.
///
/// An address of HTTP is asked for at the proxy itself, which every proxy permits; to one of HTTPS
/// the proxy makes a tunnel. Proxies of SOCKS are `socks5://host:port` or `socks4://host:port`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: Vec<String>,
}

impl Proxies {
    /// Those of `HTTP_PROXY`, `HTTPS_PROXY` and, for both, `ALL_PROXY`, but none for the hosts of
    /// `NO_PROXY`. Names in small letters come first.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same, of another environment than this process's.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()]
                .iter()
                .filter_map(|name| variable(name))
                .map(|value| value.trim().to_owned())
                .find(|value| !value.is_empty())
        };
        Self {
            http: set("HTTP_PROXY").or_else(|| set("ALL_PROXY")),
            https: set("HTTPS_PROXY").or_else(|| set("ALL_PROXY")),
            except: set("NO_PROXY")
                .unwrap_or_default()
                .split([',', ' '])
                .filter(|entry| !entry.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// The proxy for an address.
    pub(crate) fn of(&self, url: &Uri) -> Option<&str> {
        let proxy = if url.scheme() == Some(&Scheme::HTTPS) {
            &self.https
        } else {
            &self.http
        };
        proxy.as_deref().filter(|_| !self.excepts(url))
    }

    /// Whether `NO_PROXY` names the host: as `*`, as itself, as a domain above it, and each of them
    /// with a port or without.
    fn excepts(&self, url: &Uri) -> bool {
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().map(|port| format!(":{port}"));
        self.except.iter().any(|entry| {
            let entry = port
                .as_ref()
                .and_then(|port| entry.strip_suffix(port.as_str()))
                .unwrap_or(entry);
            let entry = entry.trim_start_matches('[').trim_end_matches(']');
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let below = || {
                host.strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            entry == "*" || (!domain.is_empty() && (host == domain || below()))
        })
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |proxy: &Option<String>| proxy.as_deref().map(without_password);
        f.debug_struct("Proxies")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("except", &self.except)
            .finish()
    }
}

/// An agent that asks a proxy for addresses of HTTP. ureq itself makes a tunnel for these too, and
/// many a proxy permits tunnels to the port of HTTPS alone.
pub(crate) fn asking(config: Config, proxy: Uri) -> Agent {
    Agent::with_parts(config, AskingConnector, ProxyResolver { proxy })
}

/// Finds the proxy, whatever is looked for.
#[derive(Debug)]
struct ProxyResolver {
    proxy: Uri,
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        DefaultResolver::default().resolve(&self.proxy, config, timeout)
    }
}

#[derive(Debug)]
struct AskingConnector;

impl Connector for AskingConnector {
    type Out = AskingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let tcp = Connector::<()>::connect(&TcpConnector::default(), details, None)?;
        let authority = details.uri.authority().map(|authority| {
            // The user and the password of the address stand in a header.
            let whole = authority.as_str();
            whole.rsplit('@').next().unwrap_or(whole)
        });
        Ok(tcp.map(|tcp| AskingTransport {
            tcp: Box::new(tcp),
            origin: Some(format!("http://{}", authority.unwrap_or_default())),
        }))
    }
}

/// Puts the origin before the path in the first line of the request: `GET http://host/path`.
#[derive(Debug)]
struct AskingTransport {
    tcp: Box<dyn Transport>,
    /// Until the first line was written.
    origin: Option<String>,
}

impl Transport for AskingTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.tcp.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(origin) = self.origin.take() else {
            return self.tcp.transmit_output(amount, timeout);
        };
        let longer = amount + origin.len();
        let output = self.tcp.buffers().output();
        let method = output[..amount].iter().position(|byte| *byte == b' ');
        let (Some(method), true) = (method, longer <= output.len()) else {
            return Err(Error::BadUri("it is too long".to_owned()));
        };
        let path = method + 1;
        output.copy_within(path..amount, path + origin.len());
        output[path..path + origin.len()].copy_from_slice(origin.as_bytes());
        self.tcp.transmit_output(longer, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.tcp.await_input(timeout)
    }

    /// It is used once.
    fn is_open(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], url: &str, expected: Option<&str>) {
        assert_eq!(proxies(variables).of(&url.parse().unwrap()), expected);
    }

    #[test]
    fn each_kind_of_address_has_its_own_proxy() {
        let both = [("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        check(&both, "http://x.org/f", Some("http://a:1"));
        check(&both, "https://x.org/f", Some("http://b:2"));
        check(&both[..1], "https://x.org/f", None);
        check(&[("ALL_PROXY", "c:3")], "https://x.org/f", Some("c:3"));
        let small = [("http_proxy", "small"), ("HTTP_PROXY", "large")];
        check(&small, "http://x.org", Some("small"));
        let empty = [("http_proxy", ""), ("ALL_PROXY", "all")];
        check(&empty, "http://x.org", Some("all"));
    }

    #[test]
    fn hosts_are_excepted_by_name_and_by_domain() {
        let none = None;
        let through = Some("p");
        let with = |except: &'static str| [("ALL_PROXY", "p"), ("NO_PROXY", except)];
        check(&with("*"), "http://x.org", none);
        for except in [
            "x.org",
            ".x.org",
            "*.x.org",
            "a.org, x.org",
            "X.ORG",
            "x.org:80",
        ] {
            check(&with(except), "http://mirror.x.org:80/f", none);
        }
        check(&with("x.org"), "http://x.org/f", none);
        check(&with("x.org"), "http://ax.org/f", through);
        check(&with("x.org:81"), "http://x.org:80/f", through);
        check(&with("127.0.0.1"), "http://127.0.0.1:4000/f", none);
        check(&with("::1"), "http://[::1]:4000/f", none);
        check(&with(""), "http://x.org/f", through);
        check(&with("."), "http://x.org/f", through);
    }

    #[test]
    fn passwords_are_not_shown() {
        let text = format!("{:?}", proxies(&[("HTTP_PROXY", "http://me:secret@a:1")]));
        assert!(!text.contains("secret") && text.contains("a:1"), "{text}");
    }
}
