//! Characters taken for one another: by shape in Han, and Latin look-alikes of other scripts.
//!
//! The classes were written for names of Chinese firms and people: characters that handwriting, optical
//! recognition and ill will exchange. A shared class is a reason to look at a pair, never proof.

use std::sync::OnceLock;

use hashbrown::{HashMap, HashSet};

/// Each string is one class; the first character stands for it. A character may be in one class only.
/// Classes of characters that one hardly tells apart in print; the first stands for the class. No character
/// is in two classes. Traditional characters whose simplification is disputed stand with the simplified one.
const CLASSES: &[&str] = &[
    "己已巳",
    "未末",
    "干千于乾",
    "士土",
    "日曰",
    "睛晴",
    "博搏膊",
    "人入",
    "戊戌戍",
    "折拆",
    "候侯",
    "辩辨辫",
    "治冶",
    "冷泠",
    "准淮",
    "唤焕",
    "锋烽峰",
    "沣泮",
    "康糠",
    "鑫金",
    "徽徵征微",
    "钟锺鍾",
    "锁镇",
    "泰秦",
    "晨辰",
    "绵锦棉",
    "贷货",
    "沪泸",
    "汩汨",
    "盲肓",
    "余佘",
    "冠寇",
    "兔免",
    "茶荼",
    "仑仓",
    "祟崇",
    "刺剌",
    "市巿",
    "夏复",
    "芯蕊",
    "枝技",
    "械诫",
    "杨扬",
    "场埸",
    "延廷",
    "喧暄",
    "壁璧",
    "籍藉",
    "竟竞",
    "粱梁",
    "惟唯",
    "孙孑",
    "凤风",
    "毫亳",
    "拔拨",
    "瑞端",
    "清凊",
    "情倩",
    "诚城",
    "晶品",
    "铭洺",
    "弛驰",
    "栗粟",
    "鸟乌",
    "遂逐",
    "吴昊",
    "杳香查",
    "暧暖",
    "瞻赡",
    "陕陝",
    "眛昧",
    "柬束",
    "壬王",
    "丐丏",
    "大犬太",
    "田由甲申",
    "天夭",
    "目且",
    "午牛",
    "今令",
    "刀力",
    "石右",
    "斤斥",
    "享亨",
    "代伐",
    "仪议",
    "任仕",
    "密蜜",
    "桦烨",
    "伟炜玮",
    "祥详",
    "幅福",
    "洪哄",
    "睿容",
    "盛晟",
    "莱菜",
    "蓝篮",
    "恒桓",
    "遥谣",
    "嬴羸赢",
    "誉誊",
    "湛谌",
    "熙煕",
];

/// Groups of characters that are taken for one another when written by hand, scanned or read in haste. Unlike
/// the classes they do not chain: two characters look alike when some group has both.
const GROUPS: &[&str] = &[
    "健建",
    "伟纬",
    "华桦骅",
    "清青情请静",
    "安按",
    "益溢",
    "恩思",
    "惠慧",
    "浩皓",
    "湘潇",
    "泽译择",
    "润涧闰",
    "济剂齐挤",
    "深探",
    "海诲",
    "江扛",
    "源原",
    "河何",
    "涛祷",
    "浦埔铺",
    "汉汊",
    "兴共",
    "贝见",
    "贸贷",
    "责贵",
    "质盾",
    "凯恺",
    "创仓",
    "利和",
    "刚钢岗",
    "到致",
    "疗辽",
    "料科",
    "持待特侍",
    "振震",
    "提堤",
    "握渥",
    "播翻",
    "操澡",
    "明朋",
    "昌晶",
    "普晋",
    "曼蔓",
    "村材",
    "拍柏",
    "栋拣",
    "桂挂",
    "梅海",
    "概慨",
    "欧殴",
    "正止",
    "比此北",
    "民氏",
    "氢氨",
    "炎淡",
    "爱受",
    "环坏怀",
    "珠株",
    "珍诊",
    "球求",
    "理埋",
    "琪棋淇祺",
    "瑶遥",
    "璟景",
    "百白",
    "盟萌",
    "相湘",
    "眉盾",
    "真直",
    "砂沙",
    "社杜",
    "禾木",
    "秀季",
    "立位",
    "竞竟",
    "第笫",
    "简筒",
    "精睛晴",
    "系糸",
    "素索",
    "纳钠",
    "线钱",
    "经径",
    "维唯惟雄",
    "冈网",
    "群郡",
    "翔祥",
    "耀跃",
    "联职",
    "胜腾",
    "能熊",
    "航舫",
    "艺芝",
    "英莫",
    "荣菜",
    "菱萎",
    "虹红",
    "裕浴",
    "西酉",
    "观现",
    "讯迅",
    "设没",
    "谊宜",
    "越趋",
    "超起",
    "路璐",
    "辉晖",
    "连涟",
    "通涌",
    "邦帮",
    "陪部",
    "酒洒",
    "里重",
    "铁轶",
    "银根",
    "铜同",
    "锐税",
    "门问",
    "阳旧",
    "静净",
    "韩翰",
    "顺项",
    "颐颇",
    "领颂",
    "骏俊峻竣",
    "鸿鸣",
    "鹏鹃",
    "桥侨",
    "佳住",
    "百佰",
    "优忧",
    "佛拂",
    "偿赏",
    "元无",
    "克兑",
    "凡几",
    "勇男",
    "勤勒",
    "卓桌",
    "广厂",
    "历厉",
    "厚原",
    "史吏",
    "司同",
    "吉古",
    "咸威",
    "唐糖",
    "嘉喜",
    "困团",
    "园圆",
    "坚竖",
    "坤神",
    "奇寄",
    "姚桃",
    "娜那",
    "字宇",
    "宝玉",
    "宣宜",
    "宫官",
    "富副",
    "少小",
    "尔你",
    "居届",
    "岭领",
    "崔催",
    "布市",
    "弘引",
    "徐除",
    "托拖",
    "抚扶",
    "怡治",
    "悦说",
    "慈磁",
    "聚骤",
    "德得",
    "康庚",
    "健键",
    "药葯",
    "医匠",
    "迪油",
    "蔡察",
    "彤丹",
    "贺货",
    "贾贸",
    "陈阵",
    "刘浏",
    "张弦",
    "仁仨",
    "达远",
    "圣至",
    "圣怪",
    "万方",
    "丰半",
    "世也",
    "业亚",
    "东车",
    "永水",
    "冰泳",
    "科枓",
    "晟晨",
    "晓饶",
    "旺汪",
    "旭旮",
    "苏办",
    "协胁",
    "和禾",
    "康廉",
    "德徳",
    "诺偌",
    "达迖",
    "美羹",
    "迈历",
    "润调",
    "润闰",
    "瑞湍",
    "生主",
    "益盖",
    "信倌",
    "仁伫",
    "九丸",
    "华毕",
    "中申",
    "众从",
];

/// Latin look-alikes in Cyrillic, Greek and Armenian, after upper-casing by the reader.
const TWINS: &[(char, char)] = &[
    ('А', 'A'),
    ('В', 'B'),
    ('С', 'C'),
    ('Е', 'E'),
    ('Н', 'H'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('К', 'K'),
    ('М', 'M'),
    ('О', 'O'),
    ('Р', 'P'),
    ('Ѕ', 'S'),
    ('Т', 'T'),
    ('Х', 'X'),
    ('У', 'Y'),
    ('Ү', 'Y'),
    ('Ԛ', 'Q'),
    ('Ԝ', 'W'),
    ('а', 'a'),
    ('с', 'c'),
    ('е', 'e'),
    ('һ', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('о', 'o'),
    ('р', 'p'),
    ('ѕ', 's'),
    ('х', 'x'),
    ('у', 'y'),
    ('ԛ', 'q'),
    ('ԝ', 'w'),
    ('ԁ', 'd'),
    ('ӏ', 'l'),
    ('к', 'k'),
    ('м', 'm'),
    ('т', 't'),
    ('в', 'b'),
    ('н', 'h'),
    ('Α', 'A'),
    ('Β', 'B'),
    ('Ε', 'E'),
    ('Ζ', 'Z'),
    ('Η', 'H'),
    ('Ι', 'I'),
    ('Κ', 'K'),
    ('Μ', 'M'),
    ('Ν', 'N'),
    ('Ο', 'O'),
    ('Ρ', 'P'),
    ('Τ', 'T'),
    ('Υ', 'Y'),
    ('Χ', 'X'),
    ('Ϲ', 'C'),
    ('Ϳ', 'J'),
    ('α', 'a'),
    ('ι', 'i'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ϲ', 'c'),
    ('Ս', 'U'),
    ('Օ', 'O'),
    ('Ѵ', 'V'),
    ('ɑ', 'a'),
    ('ɡ', 'g'),
    ('ı', 'i'),
];

fn classes() -> &'static HashMap<char, char> {
    static MAP: OnceLock<HashMap<char, char>> = OnceLock::new();
    MAP.get_or_init(|| {
        let mut map = HashMap::new();
        for class in CLASSES {
            let mut chars = class.chars();
            let Some(first) = chars.next() else { continue };
            let head = *map.entry(first).or_insert(first);
            for c in chars {
                map.entry(c).or_insert(head);
            }
        }
        map
    })
}

fn pairs() -> &'static HashSet<(char, char)> {
    static SET: OnceLock<HashSet<(char, char)>> = OnceLock::new();
    SET.get_or_init(|| {
        let mut set = HashSet::new();
        for group in GROUPS {
            for a in group.chars() {
                set.extend(group.chars().map(|b| (a, b)));
            }
        }
        set
    })
}

/// The character that stands for the look-alike class of `c`; `c` itself when it is in none.
pub fn shape(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    classes().get(&c).copied().unwrap_or(c)
}

/// Whether two different characters are easily taken for one another.
pub fn looks_like(a: char, b: char) -> bool {
    a != b && (shape(a) == shape(b) || pairs().contains(&(a, b)))
}

/// A text with each character replaced by the one that stands for its look-alike class.
pub fn fold_shape(text: &str) -> String {
    text.chars().map(shape).collect()
}

/// The Latin letter that a Cyrillic, Greek or Armenian letter looks like; `c` itself when there is none.
pub fn latin_twin(c: char) -> char {
    if matches!(c, '\u{0250}'..='\u{058f}' | 'ı') {
        TWINS
            .iter()
            .find(|(from, _)| *from == c)
            .map_or(c, |(_, latin)| *latin)
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_of_both_kinds() {
        for (a, b) in [
            ('己', '已'),
            ('巳', '己'),
            ('未', '末'),
            ('干', '于'),
            ('乾', '干'),
            ('士', '土'),
            ('沣', '泮'),
        ] {
            assert!(looks_like(a, b), "{a} {b}");
            assert_eq!(shape(a), shape(b));
        }
        assert!(looks_like('健', '建'));
        assert!(looks_like('鑫', '金'));
        for (a, b) in [
            ('康', '瑞'),
            ('北', '南'),
            ('一', '二'),
            ('己', '己'),
            ('药', '疗'),
        ] {
            assert!(!looks_like(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_class_folds_to_itself() {
        for class in CLASSES {
            let folded = fold_shape(class);
            assert_eq!(fold_shape(&folded), folded);
            let mut heads: Vec<char> = folded.chars().collect();
            heads.dedup();
            assert_eq!(heads.len(), 1, "{class} is split over two classes");
        }
    }

    #[test]
    fn letters_of_other_scripts() {
        assert_eq!(latin_twin('А'), 'A');
        assert_eq!(latin_twin('Ο'), 'O');
        assert_eq!(latin_twin('Ж'), 'Ж');
    }
}
