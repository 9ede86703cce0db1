//! Surnames that are read unlike the character's common reading, and surnames of two characters.

use std::sync::OnceLock;

use hashbrown::HashMap;

/// (surname, readings as a surname, the usual one first). Where the usual reading of the character happens
/// to be the surname's in one dictionary it need not be in the next, so the list holds all of them.
const READINGS: &[(&str, &str)] = &[
    ("万俟", "moqi"),
    ("尉迟", "yuchi"),
    ("单于", "chanyu"),
    ("令狐", "linghu"),
    ("澹台", "tantai"),
    ("长孙", "zhangsun"),
    ("亓官", "qiguan"),
    ("乐正", "yuezheng"),
    ("夏侯", "xiahou"),
    ("鲜于", "xianyu"),
    ("宰父", "zaifu"),
    ("子车", "ziju"),
    ("重", "chong"),
    ("秘", "bi"),
    ("冼", "xian"),
    ("洗", "xian"),
    ("华", "hua"),
    ("过", "guo"),
    ("纪", "ji"),
    ("燕", "yan"),
    ("种", "chong"),
    ("繁", "po"),
    ("幺", "yao"),
    ("么", "yao"),
    ("覃", "qin tan"),
    ("冯", "feng"),
    ("石", "shi"),
    ("缪", "miao"),
    ("瞿", "qu"),
    ("曾", "zeng"),
    ("解", "xie"),
    ("折", "she"),
    ("那", "na"),
    ("佴", "nai"),
    ("难", "nan ning"),
    ("粘", "nian"),
    ("藏", "zang"),
    ("扎", "za zha"),
    ("翟", "zhai di"),
    ("都", "du"),
    ("六", "lu"),
    ("薄", "bo"),
    ("贾", "jia"),
    ("的", "de"),
    ("哈", "ha"),
    ("居", "ju"),
    ("盖", "ge gai"),
    ("查", "zha"),
    ("盛", "sheng"),
    ("塔", "ta"),
    ("和", "he"),
    ("柏", "bai bo"),
    ("朴", "piao"),
    ("蓝", "lan"),
    ("牟", "mou mu"),
    ("殷", "yin"),
    ("陆", "lu"),
    ("乜", "nie"),
    ("乐", "yue le"),
    ("阚", "kan"),
    ("叶", "ye"),
    ("强", "qiang"),
    ("不", "fou"),
    ("丁", "ding"),
    ("阿", "a"),
    ("汤", "tang"),
    ("万", "wan"),
    ("车", "che"),
    ("称", "cheng"),
    ("沈", "shen"),
    ("区", "ou"),
    ("仇", "qiu"),
    ("宿", "su"),
    ("南", "nan"),
    ("单", "shan"),
    ("卜", "bu"),
    ("鸟", "niao"),
    ("思", "si"),
    ("殳", "shu"),
    ("寻", "xun"),
    ("於", "yu"),
    ("烟", "yan"),
    ("余", "yu"),
    ("浅", "qian"),
    ("艾", "ai"),
    ("浣", "wan huan"),
    ("无", "wu"),
    ("信", "xin"),
    ("许", "xu"),
    ("齐", "qi"),
    ("俞", "yu"),
    ("若", "ruo"),
    ("贠", "yun"),
    ("貟", "yun"),
    ("员", "yun"),
    ("郇", "xun huan"),
    ("逄", "pang"),
    ("逯", "lu"),
    ("亓", "qi"),
    ("郗", "xi chi"),
    ("祭", "zhai ji"),
    ("宓", "mi fu"),
    ("晁", "chao"),
    ("隗", "wei kui"),
    ("召", "shao"),
    ("黑", "he hei"),
    ("仉", "zhang"),
    ("谌", "chen shen"),
    ("候", "hou"),
    ("尹", "yin"),
    ("能", "nai"),
    ("尉", "wei yu"),
    ("褚", "chu"),
    ("臧", "zang"),
    ("詹", "zhan"),
    ("占", "zhan"),
    ("禚", "zhuo"),
    ("妫", "gui"),
    ("麴", "qu"),
    ("撒", "sa"),
    ("适", "kuo"),
    ("洪", "hong"),
    ("句", "gou"),
    ("勾", "gou"),
    ("卒", "cui"),
    ("谷", "gu"),
    ("术", "shu zhu"),
    ("瓮", "weng"),
    ("什", "shi"),
    ("长", "chang"),
    ("呙", "guo"),
    ("应", "ying"),
    ("任", "ren"),
    ("宁", "ning"),
    ("吕", "lv lu lyu"),
    ("律", "lv lu lyu"),
];

/// Surnames of two characters.
const COMPOUND: &[&str] = &[
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "宇文", "长孙", "司徒",
    "司空", "夏侯", "万俟", "单于", "澹台", "淳于", "太叔", "申屠", "轩辕", "钟离", "鲜于", "闻人", "赫连",
    "呼延", "濮阳", "仲孙", "端木", "百里", "独孤", "南宫", "西门", "左丘", "梁丘", "东郭", "南门", "东门",
    "公冶", "公羊", "谷梁", "宗政", "拓跋", "亓官", "司寇", "巫马", "公西", "闾丘", "颛孙", "乐正", "漆雕",
    "壤驷", "公良", "夹谷", "段干", "宰父", "羊舌", "微生", "子车", "第五", "完颜", "耶律", "纳兰", "叶赫",
    "那拉", "呼延", "贺兰", "尉缭", "哥舒", "爱新",
];

/// Readings of a surname that differ from, or complete, those of its characters.
pub(super) fn readings(surname: &str) -> Option<impl Iterator<Item = &'static str>> {
    static READINGS_OF: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    let readings = READINGS_OF.get_or_init(|| READINGS.iter().copied().collect());
    readings.get(surname).map(|readings| readings.split(' '))
}

/// Whether two characters are a surname.
pub(super) fn is_compound(surname: &str) -> bool {
    COMPOUND.contains(&surname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_surname_stands_once() {
        let mut names: Vec<&str> = READINGS.iter().map(|(name, _)| *name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
