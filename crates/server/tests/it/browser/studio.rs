//! A running server and the browsers around it.

use std::net::IpAddr;
use std::path::PathBuf;

use estrade_server::{Config, Server};
use estrade_types::Role;

use super::chromium::Chromedriver;
use super::material::Material;
use super::person::Person;
use crate::token::token;

/// A server in this process, with a room to meet in.
#[derive(Debug)]
pub(crate) struct Studio {
    pub(crate) server: Server,
    pub(crate) room: String,
    /// What stands between the page's path and its token: `?codec=H264`.
    pub(crate) query: &'static str,
    driver: Option<Chromedriver>,
}

impl Studio {
    /// Starts a development server on free loopback ports.
    pub(crate) async fn open(room: &str) -> Self {
        Self::open_at(room, IpAddr::from([127, 0, 0, 1])).await
    }

    /// As [`Self::open`], with media at another address of this machine.
    pub(crate) async fn open_at(room: &str, media: IpAddr) -> Self {
        let mut config = Config::dev().on_any_ports();
        config.media.bind = media;
        let server = Server::start(config).await.expect("the server starts");
        Self {
            server,
            room: room.to_owned(),
            query: "",
            driver: None,
        }
    }

    /// An invite link.
    pub(crate) fn link(&self, identity: &str, role: Role) -> String {
        let token = token(&self.room, identity, role);
        format!(
            "http://{}/{}#token={token}",
            self.server.http_addr(),
            self.query
        )
    }

    /// Somebody opens the page in Chromium and joins.
    pub(crate) async fn join(
        &mut self,
        identity: &str,
        role: Role,
        material: Option<Material>,
    ) -> Person {
        let folder = scratch();
        let driver = self.driver.get_or_insert_with(Chromedriver::start);
        let browser = driver.browser(material, &folder).await;
        Person::join(browser, &self.link(identity, role), identity, material).await
    }

    /// Somebody opens the page in Chromium and only looks at it.
    pub(crate) async fn visit(&mut self, identity: &str, material: Option<Material>) -> Person {
        let driver = self.driver.get_or_insert_with(Chromedriver::start);
        let browser = driver.browser(material, &scratch()).await;
        Person::visit(
            browser,
            &format!("http://{}/", self.server.http_addr()),
            identity,
            material,
        )
        .await
    }
}

/// Where files of the tests go: made once, inside the build's own folder.
pub(crate) fn scratch() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}
