use super::*;

#[test]
fn the_pairs_of_a_description_are_found() {
    let answer =
        "v=0\r\na=ssrc-group:FID 100 200\r\na=ssrc:100 cname:x\r\na=ssrc-group:FID 7 8\r\n";
    let expected = BTreeMap::from([(200, 100), (8, 7)]);
    assert_eq!(repairs_of(answer), expected);
}
