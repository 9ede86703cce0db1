"""Writes a CSV of synthetic organisations with duplicates, for measuring speed: seeded, no real firm in it.

usage: synthetic_organisations.py ROWS SEED OUT.csv

One row in five repeats an earlier organisation with one to three of: another legal form, brackets, the region left
out, a wrong character, traditional characters, a missing or mistyped code, a new phone, another legal
representative, an address without its province. The column `party` tells the truth.
"""

import csv
import random
import sys

REGIONS = [("浙江省", "杭州"), ("浙江省", "宁波"), ("江苏省", "南京"), ("江苏省", "苏州"), ("广东省", "广州"), ("广东省", "深圳"),
           ("四川省", "成都"), ("湖北省", "武汉"), ("湖南省", "长沙"), ("山东省", "济南"), ("山东省", "青岛"), ("福建省", "厦门"),
           ("福建省", "福州"), ("陕西省", "西安"), ("河南省", "郑州"), ("河北省", "石家庄"), ("安徽省", "合肥"), ("江西省", "南昌"),
           ("辽宁省", "沈阳"), ("辽宁省", "大连"), ("云南省", "昆明"), ("贵州省", "贵阳"), ("广西壮族自治区", "南宁"), ("海南省", "海口")]
CORE = "康瑞华泰恒信达安德仁和济民元博远宏盛嘉诺科迈普利天明正大同方新世纪佳美凯健生益百寿福禄金银玉珠江海山川峰岭松柏梅兰竹菊云霞光辉耀星辰宇宙中兴国昌隆富贵荣庆祥吉顺通友联合众诚毅勇智慧文雅韵诗画春夏秋冬东西南北龙凤麟鹏鹤雁鹰虎豹骏驰腾飞翔跃升启航扬帆浩瀚淼森林沃野丰硕"
TRADES = ["医药", "医疗器械", "药业", "生物科技", "医疗科技", "健康科技", "商贸", "贸易", "医药连锁", "制药", "生物技术", "信息技术", "物流",
          "建设工程", "后勤服务", "仪器设备", "试剂", "实业", "科技发展", "环保科技"]
FORMS = ["有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司"]
SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉鹏飞宇晨浩然雨欣子涵佳怡梓轩思远博文志国建华海燕玉梅春红冬生"
ROADS = ["人民路", "解放路", "中山路", "建设路", "文化路", "和平路", "新华路", "长江路", "黄河路", "科技路", "学院路", "滨江路", "高新大道", "迎宾大道"]
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
TRADITIONAL = str.maketrans("华国东龙凤飞医药业术云长庆兴宁乐丰银岭霞", "華國東龍鳳飛醫藥業術雲長慶興寧樂豐銀嶺霞")


def uscc(rng):
    text = "91" + f"{rng.randrange(110000, 659000):06d}" + "".join(rng.choice(ALPHABET) for _ in range(9))
    total = sum(ALPHABET.index(c) * w for c, w in zip(text, WEIGHTS))
    return text + ALPHABET[(31 - total % 31) % 31]


def person(rng):
    return rng.choice(SURNAMES) + "".join(rng.choice(GIVEN) for _ in range(rng.choice((1, 2, 2))))


def phone(rng):
    return "1" + rng.choice("35789") + f"{rng.randrange(10**9):09d}"


def organisation(rng, party):
    province, city = rng.choice(REGIONS)
    core = "".join(rng.choice(CORE) for _ in range(rng.choice((2, 2, 3, 3, 4))))
    address = f"{province}{city}市{rng.choice(ROADS)}{rng.randrange(1, 1500)}号{rng.randrange(1, 30)}幢{rng.randrange(101, 2800)}室"
    return {"party": party, "province": province, "city": city, "core": core, "trade": rng.choice(TRADES), "form": rng.choice(FORMS),
            "uscc": uscc(rng) if rng.random() < 0.8 else "", "legal_representative": person(rng),
            "phone": phone(rng) if rng.random() < 0.85 else "", "address": address if rng.random() < 0.85 else ""}


def written(org, core=None, form=None, region=True):
    return (org["city"] if region else "") + (core or org["core"]) + org["trade"] + (org["form"] if form is None else form)


def noisy(rng, org):
    row = {"party": org["party"], "name": written(org), "uscc": org["uscc"], "legal_representative": org["legal_representative"],
           "phone": org["phone"], "address": org["address"]}
    for kind in rng.sample(range(10), rng.choice((1, 2, 2, 3))):
        if kind == 0:
            row["name"] = written(org, form="有限责任公司" if org["form"] == "有限公司" else org["form"])
        elif kind == 1:
            row["name"] = f"{org['core']}{org['trade']}（{org['city']}）{org['form']}"
        elif kind == 2:
            row["name"] = written(org, region=False)
        elif kind == 3:
            at = rng.randrange(len(org["core"]))
            row["name"] = written(org, core=org["core"][:at] + rng.choice(CORE) + org["core"][at + 1:])
        elif kind == 4:
            row["name"] = written(org).translate(TRADITIONAL)
        elif kind == 5:
            row["uscc"] = ""
        elif kind == 6 and row["uscc"]:
            at = rng.randrange(18)
            row["uscc"] = row["uscc"][:at] + rng.choice(ALPHABET) + row["uscc"][at + 1:]
        elif kind == 7:
            row["phone"] = phone(rng)
        elif kind == 8:
            row["legal_representative"] = person(rng)
        elif kind == 9:
            row["address"] = row["address"].removeprefix(org["province"])
    return row


def main():
    rows, seed, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(seed)
    recent = []
    with open(path, "w", newline="", encoding="utf-8") as out:
        columns = ["record_id", "name", "uscc", "legal_representative", "phone", "address", "party"]
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        party = 0
        for number in range(rows):
            if recent and rng.random() < 0.2:
                row = noisy(rng, rng.choice(recent))
            else:
                party += 1
                org = organisation(rng, party)
                if len(recent) < 200_000:
                    recent.append(org)
                else:
                    recent[rng.randrange(len(recent))] = org
                row = {"party": party, "name": written(org), "uscc": org["uscc"], "legal_representative": org["legal_representative"],
                       "phone": org["phone"], "address": org["address"]}
            row["record_id"] = number
            writer.writerow(row)


if __name__ == "__main__":
    main()
