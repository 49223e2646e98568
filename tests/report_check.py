"""What holds for any page of analysis/report.sh.

    report_check.py RESULT DIR DCS      exit code 1 and a line for each thing that is wrong
    report_check.py --commands DIR      print the recipe of the page
"""

import base64
import collections
import html.parser
import json
import os
import re
import subprocess
import sys

VOID = {"img", "meta"}
ALLOWED = set("html head meta title style body header nav main section footer h1 h2 h3 p ul ol li a q b strong code span "
              "sup cite pre blockquote div table caption thead tbody tr th td details summary figure figcaption img".split())
ATTRIBUTES = set("id class lang charset name content http-equiv aria-label aria-labelledby href src alt width height scope "
                 "title data-label".split())


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.wrong, self.open, self.ids, self.links, self.images = [], [], [], [], []
        self.pre, self.text, self.rows = {}, collections.defaultdict(str), []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is not closed" for tag, _ in self.open]

    def handle_starttag(self, tag, attributes):
        at = dict(attributes)
        if tag not in ALLOWED:
            self.wrong.append(f"element <{tag}>")
        self.wrong += [f"attribute {k} of <{tag}>" for k in at if k not in ATTRIBUTES]
        if len(at) != len(attributes):
            self.wrong.append(f"<{tag}>: an attribute twice")
        if "id" in at:
            self.ids.append(at["id"])
        if "href" in at:
            self.links.append((tag, at["href"]))
        if tag == "img":
            self.images.append(at)
        elif "src" in at:
            self.wrong.append(f"src of <{tag}>")
        if tag == "tr":
            self.rows.append({})
        if tag == "td" and at.get("data-label"):
            self.rows[-1][at["data-label"]] = ["", []]
        if tag == "span" and "title" in at and self.cell():
            self.cell()[1].append(at["title"])
        if tag not in VOID:
            self.open.append((tag, at))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-1:]}")
        else:
            self.open.pop()

    def cell(self):
        for tag, at in reversed(self.open):
            if tag == "td" and at.get("data-label"):
                return self.rows[-1][at["data-label"]]
        return None

    def handle_data(self, data):
        if self.cell():
            self.cell()[0] += data
        if self.open:
            tag, at = self.open[-1]
            self.text[tag] += data
            if tag == "pre" and "id" in at:
                self.pre[at["id"]] = self.pre.get(at["id"], "") + data

    def handle_comment(self, data):
        self.wrong.append(f"a comment: {data[:40]}")


def clean(text):
    """As the page shows it: what HTML does not allow, or what turns the direction of text, is replaced."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def check_links(page, out):
    for tag, target in page.links:
        local = target in os.listdir(out) and re.fullmatch(r"[\w.-]+", target)
        arxiv = re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}(v\d+)?", target)
        if tag != "a" or not (arxiv or local or target.startswith("#") and target[1:] in page.ids):
            page.wrong.append(f"<{tag}> refers to {target}")
    page.wrong += [f"id {k} is there {n} times" for k, n in collections.Counter(page.ids).items() if n > 1]


def check_figures(page, out, name):
    with open(os.path.join(out, "figures.json"), encoding="utf-8") as stream:
        manifest = json.load(stream)
    if manifest["result"] != name:
        page.wrong.append(f"the manifest is of {manifest['result']}")
    if len(page.images) != len(manifest["figures"]):
        page.wrong.append(f"{len(page.images)} figures on the page, {len(manifest['figures'])} in the manifest")
    for at, entry in zip(page.images, manifest["figures"]):
        with open(os.path.join(out, entry["stem"] + ".png"), "rb") as stream:
            if at.get("src") != "data:image/png;base64," + base64.b64encode(stream.read()).decode():
                page.wrong.append(f"{entry['stem']}: other bytes than those of the file")
        if not at.get("alt") or at["alt"] != clean(entry["alt"]):
            page.wrong.append(f"{entry['stem']}: alt is {at.get('alt')!r}")
        if clean(entry["title"]) not in page.text["strong"]:
            page.wrong.append(f"{entry['stem']}: its title is not on the page")


def check_verdicts(page, result, dcs):
    check = json.loads(subprocess.run([dcs, "check", "--json", result], stdout=subprocess.PIPE, check=False).stdout)
    rows = [r for r in page.rows if "verdict" in r]
    shown = collections.Counter((r["verdict"][0].split()[-1], r["where"][0], r.get("note", [""])[0]) for r in rows)
    wanted = collections.Counter((r["verdict"], clean(r["where"]), clean(r["note"])) for r in check["claims"])
    if shown != wanted:
        page.wrong.append(f"verdicts: {list((shown - wanted) + (wanted - shown))[:3]}")
    numbers = collections.Counter((r["verdict"][0].split()[-1], r["where"][0], t)
                                  for r in rows for t in set(r["measured"][1]))
    for r in check["claims"]:
        key = (r["verdict"], clean(r["where"]), repr(float(r["value"])) if r["value"] is not None else None)
        if key[2] is not None and numbers[key] < 1:
            page.wrong.append(f"the number of a verdict is missing: {key}")
        numbers[key] -= 1
        if clean(r["claim"]) not in page.text["q"] or clean(r["claim"]) not in page.text["h3"]:
            page.wrong.append(f"a claim is missing: {r['claim']!r}")
    sums = f"{check['passed']} PASS, {check['failed']} FAIL, {check['missing']} MISSING"
    if check["claims"] and sums not in page.text["strong"]:
        page.wrong.append(f"'{sums}' is not on the page")


def study(result):
    import h5py

    with h5py.File(result, "r") as h5:
        return h5["config/text"][()].decode(), h5.attrs["data_digest"].decode()


def main():
    out = sys.argv[2]
    with open(os.path.join(out, "report.html"), encoding="utf-8") as stream:
        text = stream.read()
    page = Page(text)
    if sys.argv[1] == "--commands":
        print(page.pre["commands"])
        return 0
    result, dcs = sys.argv[1], sys.argv[3]
    if not text.startswith("<!DOCTYPE html>\n"):
        page.wrong.append("no doctype")
    if re.search(r"@import|url\(", page.text["style"]):
        page.wrong.append("the style loads something")
    if page.pre.get("study", "").lstrip("\n") != study(result)[0].lstrip("\n"):
        page.wrong.append("the study file is not on the page as it is")
    if study(result)[1] not in text:
        page.wrong.append("the data digest is not on the page")
    check_links(page, out)
    check_figures(page, out, os.path.basename(result))
    check_verdicts(page, result, dcs)
    print("\n".join(dict.fromkeys(page.wrong)), end="\n" if page.wrong else "")
    return bool(page.wrong)


if __name__ == "__main__":
    sys.exit(main())
