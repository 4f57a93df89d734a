//! Prints the answer. RFC 8829 §5.3, RFC 8839 §5, RFC 8842 §5.3, RFC 9143 §7.3.

use std::net::SocketAddr;

use estrade_types::{CNAME, Fingerprint, IceCredentials, LinkKind, Mid, SlotId, Ssrc};
use rtc::sdp::description::common::{Address, Attribute, ConnectionInformation};
use rtc::sdp::description::media::{MediaName, RangedPort};
use rtc::sdp::description::session::{Origin, TimeDescription, Timing};
use rtc::sdp::{MediaDescription, SessionDescription};

use crate::negotiate::{ChosenCodec, Section, Verdict};
use crate::{Direction, Negotiated};

/// What an answer says about our transport.
#[derive(Clone, Copy, Debug)]
pub struct AnswerParams<'a> {
    /// Our ICE credentials.
    pub local_ice: &'a IceCredentials,
    /// SHA-256 of our certificate.
    pub fingerprint: Fingerprint,
    /// Our addresses, best first.
    pub candidates: &'a [SocketAddr],
    /// Session id of the `o=` line: unique per session.
    pub session_id: u64,
    /// Version of the `o=` line: grows with each answer of the session.
    pub session_version: u64,
}

impl Negotiated {
    /// The section that carries the group's transport: the first that lives. RFC 9143 §7.3.1.
    pub fn tagged_mid(&self) -> Option<Mid> {
        self.sections
            .iter()
            .find(|section| !section.is_rejected())
            .and_then(|section| section.mid.as_deref())
            .and_then(Mid::new)
    }

    /// Prints the answer.
    pub fn answer(&self, params: AnswerParams<'_>) -> String {
        let mids: Vec<&str> = self
            .sections
            .iter()
            .filter(|section| !section.is_rejected())
            .filter_map(|section| section.mid.as_deref())
            .collect();
        let mut description = SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                session_id: params.session_id,
                session_version: params.session_version,
                network_type: "IN".to_owned(),
                address_type: "IP4".to_owned(),
                unicast_address: "0.0.0.0".to_owned(),
            },
            session_name: "-".to_owned(),
            time_descriptions: vec![TimeDescription {
                timing: Timing {
                    start_time: 0,
                    stop_time: 0,
                },
                repeat_times: Vec::new(),
            }],
            attributes: vec![
                pair("group", format!("BUNDLE {}", mids.join(" "))),
                flag("ice-lite"),
                pair("msid-semantic", " WMS *".to_owned()),
            ],
            ..SessionDescription::default()
        };
        // The first member that lives carries the candidates for all. RFC 9143 §9.
        let mut candidates = params.candidates;
        for section in &self.sections {
            let printed = self.section(section, &params, candidates);
            if !section.is_rejected() {
                candidates = &[];
            }
            description.media_descriptions.push(printed);
        }
        description.marshal()
    }

    fn section(
        &self,
        section: &Section,
        params: &AnswerParams<'_>,
        candidates: &[SocketAddr],
    ) -> MediaDescription {
        let mut attributes = Vec::new();
        if let Some(mid) = &section.mid {
            attributes.push(pair("mid", mid.clone()));
        }
        if section.is_rejected() {
            attributes.push(flag("inactive"));
            return media(section, 0, section.formats.clone(), attributes);
        }
        attributes.push(pair("ice-ufrag", params.local_ice.ufrag.clone()));
        attributes.push(pair("ice-pwd", params.local_ice.pwd.clone()));
        attributes.push(pair("fingerprint", fingerprint(&params.fingerprint)));
        attributes.push(pair("setup", "passive".to_owned()));
        attributes.push(flag("rtcp-mux"));
        if section.has_rtcp_rsize {
            attributes.push(flag("rtcp-rsize"));
        }
        attributes.push(flag(match section.verdict {
            Verdict::Receive => "recvonly",
            Verdict::Send { .. } => "sendonly",
            Verdict::Inactive | Verdict::Rejected => "inactive",
        }));
        for extension in &section.extensions {
            let direction = match extension.direction {
                Direction::SendOnly => "/recvonly",
                Direction::RecvOnly => "/sendonly",
                Direction::SendRecv | Direction::Inactive => "",
            };
            let value = format!("{}{direction} {}", extension.id, extension.uri);
            attributes.push(pair("extmap", value));
        }
        let mut formats = Vec::new();
        for codec in &section.codecs {
            print_codec(section, codec, &mut formats, &mut attributes);
        }
        if let Verdict::Send {
            slot,
            ssrc,
            rtx_ssrc,
        } = section.verdict
        {
            self.print_stream(slot, ssrc, rtx_ssrc, &mut attributes);
        }
        print_simulcast(section, &mut attributes);
        print_candidates(candidates, &mut attributes);
        media(section, 9, formats, attributes)
    }

    /// `a=msid` and `a=ssrc`. RFC 8830 §2, RFC 5576 §4.
    fn print_stream(
        &self,
        slot: SlotId,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
        attributes: &mut Vec<Attribute>,
    ) {
        // A plain player shows one stream: its picture and its sound are one. Elsewhere each slot
        // is a stream of its own, since each shows somebody else.
        let stream = match self.link {
            LinkKind::Whep => CNAME.to_owned(),
            LinkKind::WebSocket | LinkKind::Whip => slot.to_string(),
        };
        attributes.push(pair("msid", format!("{stream} {slot}")));
        if let Some(rtx) = rtx_ssrc {
            attributes.push(pair("ssrc-group", format!("FID {} {}", ssrc.0, rtx.0)));
        }
        for ssrc in [Some(ssrc), rtx_ssrc].into_iter().flatten() {
            attributes.push(pair("ssrc", format!("{} cname:{CNAME}", ssrc.0)));
        }
    }
}

fn print_codec(
    section: &Section,
    codec: &ChosenCodec,
    formats: &mut Vec<String>,
    attributes: &mut Vec<Attribute>,
) {
    let offered = &codec.offered;
    let payload_type = offered.payload_type.value();
    let channels = match offered.channels {
        1 => String::new(),
        channels => format!("/{channels}"),
    };
    formats.push(payload_type.to_string());
    attributes.push(pair(
        "rtpmap",
        format!(
            "{payload_type} {}/{}{channels}",
            offered.name, offered.clock_rate
        ),
    ));
    let fmtp = section.fmtp(codec);
    if !fmtp.is_empty() {
        attributes.push(pair("fmtp", format!("{payload_type} {fmtp}")));
    }
    for message in section.feedback(codec) {
        attributes.push(pair("rtcp-fb", format!("{payload_type} {message}")));
    }
    if let Some(rtx) = codec.rtx {
        let rtx = rtx.value();
        formats.push(rtx.to_string());
        let clock_rate = offered.clock_rate;
        attributes.push(pair("rtpmap", format!("{rtx} rtx/{clock_rate}")));
        attributes.push(pair("fmtp", format!("{rtx} apt={payload_type}")));
    }
}

/// `a=rid` and `a=simulcast`. RFC 8851 §4, RFC 8853 §5.3.
fn print_simulcast(section: &Section, attributes: &mut Vec<Attribute>) {
    if section.rids.is_empty() {
        return;
    }
    let rids: Vec<&str> = section.rids.iter().map(|rid| rid.as_str()).collect();
    for rid in &rids {
        attributes.push(pair("rid", format!("{rid} recv")));
    }
    attributes.push(pair("simulcast", format!("recv {}", rids.join(";"))));
}

fn print_candidates(candidates: &[SocketAddr], attributes: &mut Vec<Attribute>) {
    for (index, address) in candidates.iter().enumerate() {
        attributes.push(pair("candidate", candidate(index, *address)));
    }
    if !candidates.is_empty() {
        attributes.push(flag("end-of-candidates"));
    }
}

/// The `index`-th host candidate. RFC 8839 §5.1, priority by RFC 8445 §5.1.2.
pub(crate) fn candidate(index: usize, address: SocketAddr) -> String {
    const HOST: u32 = 126;
    let local_preference = 65_535 - u32::try_from(index).unwrap_or(u32::MAX).min(65_535);
    let priority = (HOST << 24) | (local_preference << 8) | 255;
    format!(
        "{} 1 udp {priority} {} {} typ host",
        index.saturating_add(1),
        address.ip(),
        address.port()
    )
}

fn fingerprint(fingerprint: &Fingerprint) -> String {
    let hex: Vec<String> = fingerprint.0.iter().map(|b| format!("{b:02X}")).collect();
    format!("sha-256 {}", hex.join(":"))
}

fn flag(key: &str) -> Attribute {
    Attribute::new(key.to_owned(), None)
}

fn pair(key: &str, value: String) -> Attribute {
    Attribute::new(key.to_owned(), Some(value))
}

fn media(
    section: &Section,
    port: isize,
    formats: Vec<String>,
    attributes: Vec<Attribute>,
) -> MediaDescription {
    MediaDescription {
        media_name: MediaName {
            media: section.media.clone(),
            port: RangedPort {
                value: port,
                range: None,
            },
            protos: section.protocol.split('/').map(str::to_owned).collect(),
            formats,
        },
        connection_information: Some(ConnectionInformation {
            network_type: "IN".to_owned(),
            address_type: "IP4".to_owned(),
            address: Some(Address {
                address: "0.0.0.0".to_owned(),
                ttl: None,
                range: None,
            }),
        }),
        attributes,
        ..MediaDescription::default()
    }
}
