//! How servers are reached: through which proxy, trusting whom, and how patiently.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::Agent;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::FetchError;
use crate::proxy::{Proxies, asking};
use crate::url::without_password;

/// How servers are reached.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Through which proxies.
    pub proxies: Proxies,
    /// Certificates of those who vouch for servers, as PEM, in the place of Mozilla's, which are
    /// built in. A proxy that looks into encrypted traffic needs its own here.
    pub certificates: Option<PathBuf>,
    /// How patiently.
    pub patience: Patience,
}

impl Network {
    /// As the environment says: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and
    /// `SSL_CERT_FILE`.
    pub fn from_env() -> Self {
        let certificates = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
        Self {
            proxies: Proxies::from_env(),
            certificates: certificates.map(PathBuf::from),
            patience: Patience::default(),
        }
    }
}

/// How long is waited, and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For an answer, and for its next bytes.
    pub silence: Duration,
    /// Attempts in a row that bring nothing. What brings bytes counts anew.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one.
    pub first_wait: Duration,
}

impl Default for Patience {
    /// 30 seconds for a connection, 60 for bytes, and five attempts within 15 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            attempts: 5,
            first_wait: Duration::from_secs(1),
        }
    }
}

impl Network {
    /// What sends one request to `url`, and the proxy that it sends it to, without its password.
    /// Redirects are left to the caller, since each may need another proxy.
    ///
    /// # Errors
    /// The proxy or the certificates cannot be used.
    pub(crate) fn agent(&self, url: &Uri) -> Result<(Agent, Option<Proxied>), FetchError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(self.patience.connect))
            .timeout_recv_response(Some(self.patience.silence))
            .timeout_per_read(Some(self.patience.silence))
            .timeout_per_write(Some(self.patience.silence))
            .max_idle_connections(0)
            .user_agent(concat!("abn-fetch/", env!("CARGO_PKG_VERSION")))
            // The file as it is: its size and checksum are those of the file.
            .accept_encoding("identity")
            .tls_config(self.tls()?);
        let Some(proxy) = self.proxies.of(url) else {
            return Ok((config.proxy(None).build().new_agent(), None));
        };
        let shown = without_password(proxy);
        let parsed = ureq::Proxy::new(proxy).map_err(|_| FetchError::Proxy {
            proxy: shown.clone(),
        })?;
        let asked =
            url.scheme() == Some(&Scheme::HTTP) && parsed.protocol() == ureq::ProxyProtocol::Http;
        let proxied = Proxied {
            shown,
            password: asked.then(|| password(&parsed)).flatten(),
        };
        let agent = if asked {
            asking(config.proxy(None).build(), parsed.uri().clone())
        } else {
            config.proxy(Some(parsed)).build().new_agent()
        };
        Ok((agent, Some(proxied)))
    }

    fn tls(&self) -> Result<TlsConfig, FetchError> {
        let Some(path) = &self.certificates else {
            return Ok(TlsConfig::default());
        };
        let wrong = |source: Box<dyn std::error::Error + Send + Sync>| FetchError::Certificates {
            path: path.clone(),
            source,
        };
        let pem = fs::read(path).map_err(|error| wrong(error.into()))?;
        let mut certificates: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.into()))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(wrong("it has no BEGIN CERTIFICATE".into()));
        }
        let roots = RootCerts::new_with_certs(&certificates);
        Ok(TlsConfig::builder().root_certs(roots).build())
    }
}

/// A proxy in use.
#[derive(Debug)]
pub(crate) struct Proxied {
    /// Its address, without the password.
    pub(crate) shown: String,
    /// The value of `Proxy-Authorization`, where ureq does not send it itself.
    pub(crate) password: Option<String>,
}

/// What tells an HTTP proxy who asks.
fn password(proxy: &ureq::Proxy) -> Option<String> {
    let user = proxy.username()?;
    let both = format!("{user}:{}", proxy.password().unwrap_or_default());
    Some(format!("Basic {}", BASE64_STANDARD.encode(both)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_and_certificates_that_are_none_are_named() {
        let of = |proxy: &str| Network {
            proxies: Proxies::from_variables(|name| {
                (name == "HTTP_PROXY").then(|| proxy.to_owned())
            }),
            ..Network::default()
        };
        let url = "http://x.org/a".parse().unwrap();
        let error = of("gopher://me:secret@p")
            .agent(&url)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("`gopher://p` is not the address of a proxy"),
            "{error}"
        );
        let network = Network {
            certificates: Some("Cargo.toml".into()),
            ..Network::default()
        };
        let error = network.agent(&url).unwrap_err().to_string();
        assert!(
            error.starts_with("Cargo.toml holds no certificates"),
            "{error}"
        );
    }
}
