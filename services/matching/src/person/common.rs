//! Chinese names that very many bear.
//!
//! The Ministry of Public Security's name reports (2019 to 2021) put 张伟, 王伟, 王芳, 李伟 and 李娜 at about 250,000 to
//! 300,000 living bearers each, one in five thousand; 王 李 张 刘 陈 are borne by three in ten. Among people of one age and
//! place such names are several times as frequent again.

/// The twenty most frequent surnames.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗";

/// Given names that head the reports, for people born from 1950 to 2000.
const GIVEN: [&str; 50] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超",
    "霞", "平", "刚", "英", "华", "玲", "辉", "鹏", "燕", "红", "波", "斌", "婷", "浩", "宇", "凯", "健",
    "俊", "莉", "飞", "琳", "慧", "秀英", "桂英", "秀兰", "玉兰", "秀珍", "桂兰", "建华", "建国", "志强",
    "海燕", "婷婷",
];

/// Whether a frequent surname stands before a frequent given name.
pub(super) fn is_common_name(surname: &str, given: &str) -> bool {
    !surname.is_empty() && SURNAMES.contains(surname) && GIVEN.contains(&given)
}
