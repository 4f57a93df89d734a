use super::*;

#[test]
fn a_browsers_trickle_is_read() {
    let text = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw\r\n\
        a=candidate:3471623853 1 udp 2122194687 x.local 61765 typ host\r\n\
        a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n\
        a=candidate:2154773085 1 udp 1686052607 198.51.100.1 61764 typ srflx raddr 0.0.0.0 rport 0\r\n\
        a=end-of-candidates\r\n";
    let fragment = IceFragment::parse(text).unwrap();
    assert_eq!(fragment.credentials().unwrap().ufrag, "EsAw");
    assert_eq!(fragment.mid, Mid::new("0"));
    assert_eq!(
        fragment.candidates,
        ["192.0.2.1:61764".parse::<SocketAddr>().unwrap()]
    );
    assert!(fragment.is_end && !fragment.is_lite);
}

#[test]
fn a_ufrag_alone_is_a_trickle_and_no_restart() {
    let fragment = IceFragment::parse("a=ice-ufrag:EsAw\r\n").unwrap();
    assert_eq!(fragment.credentials(), None);
}

#[test]
fn bad_fragments_are_refused() {
    for text in [
        "nonsense",
        "a=ice-ufrag:a b\r\na=ice-pwd:x\r\n",
        &"a=x\r\n".repeat(20_000),
    ] {
        assert!(IceFragment::parse(text).is_err());
    }
}

#[test]
fn ours_says_that_we_are_lite_and_where_we_are() {
    let local = IceCredentials {
        ufrag: "server".to_owned(),
        pwd: "serverserverserverserver".to_owned(),
    };
    let addresses = ["192.0.2.1:7900".parse().unwrap()];
    let text = IceFragment::restarted(&local, Mid::new("0"), &addresses).to_string();
    assert_eq!(
        text,
        "a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:server\r\n\
         a=ice-pwd:serverserverserverserver\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.1 7900 typ host\r\na=end-of-candidates\r\n"
    );
}
