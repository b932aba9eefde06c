"""The words of the CV task keep their laws: what has to resolve resolves, and no sentence says more than its label."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import pytest

from proseform.claims import dates
from proseform.claims.quotes import stands
from proseform.tasks.cv import advert, synonyms, vacancy
from proseform.tasks.cv.data import data, deeds, more
from proseform.tasks.cv.filling import Filling

AROUND = ("around.en", "duties.en")
"""What stands around the evidence, and counts for nothing."""
LANGUAGES = ("en", "de", "fr")
FOREIGN = ("de", "fr")
SENTENCES = tuple(f"{kind}.{language}" for kind in ("deeds", "usage") for language in LANGUAGES)
FILES = ("skills", "professions", "aliases", "study", "credentials", *SENTENCES, "adverts.en", "syllables", *AROUND)
WORDS: Mapping[str, Mapping[str, Any]] = {name: data(f"words/{name}") for name in FILES} | {
    f"deeds.{language}": deeds(language) for language in FOREIGN
} | {"deeds.en": more("en", advert.LONG.wordings)}  # fmt: skip
"""The words; the sentences of a language are those of its two files, of English three."""
PROFESSIONS: Sequence[Mapping[str, Any]] = WORDS["skills"]["profession"]
SKILLS = {skill for profession in PROFESSIONS for skill in profession["skills"]}
ALIASES = [(skill, alias) for table in WORDS["aliases"].values() for skill, names in table.items() for alias in names]
OWNERS = {**{skill.casefold(): skill for skill in SKILLS}, **{alias.casefold(): skill for skill, alias in ALIASES}}
"""Every name of a skill, folded, with the skill that it belongs to."""
TITLES = [title for profession in PROFESSIONS for title in (profession["title"], *profession["titles"])]
PARTS_OF_PRODUCTS = {
    ("Tailwind CSS", "CSS"), ("React Native", "React"), ("Embedded Linux", "Linux"), ("PL/SQL", "SQL"),
    ("Red Hat Enterprise Linux", "Linux"), ("SQL Server", "SQL"), ("T-SQL", "SQL"),
    ("Salesforce Service Cloud", "Salesforce"),
}  # fmt: skip
"""Skills whose name has another skill inside: the whole list."""
KINDS = {
    "skill": {"skill"}, "skill_level": {"skill", "level"}, "skill_years": {"skill", "years"}, "experience": {"years"},
    "degree": {"degree", "field"}, "language": {"language", "level"},
    "certificate": {"certificate"}, "place": {"place"}, "permit": {"permit"}, "either": {"first", "second"},
}  # fmt: skip
"""The placeholders of each kind of requirement."""
SECTIONS = {
    "experience", "education", "skills", "languages", "certificates", "projects", "publications", "volunteering",
    "interests", "profile", "references", "awards", "permits", "contact",
}  # fmt: skip


def strings(value: Any) -> Iterator[str]:
    """Every string of a TOML value, its keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from strings(item)


def named(text: str) -> set[str]:
    """The skills whose name or alias stands in a text at word borders, whatever its case."""
    text = text.casefold()
    starts = [at for at in range(len(text)) if not at or not (text[at - 1].isalnum() or text[at - 1] == "_")]
    ends = [at for at in range(1, len(text) + 1) if at == len(text) or not (text[at].isalnum() or text[at] in "_+#")]
    found = {text[start:end] for start in starts for end in ends if start < end <= start + 40}
    return {OWNERS[name] for name in found & OWNERS.keys()}


def placeholders(text: str) -> list[str]:
    return re.findall(r"\{(\w*)\}", text)


def sentences(language: str) -> list[str]:
    """Every sentence of a language that may stand in a CV or a job beside a case's own words."""
    words = WORDS[f"deeds.{language}"]
    deeds = [template for deed in words["deed"] for template in deed["templates"]]
    plain = [line for part in ("hearsay", "background", "profile") for line in words[part]]
    noise = [line for lines in words["noise"].values() for line in lines]
    requirements = [line for kind in words["require"].values() for lines in kind.values() for line in lines]
    bare = [line for lines in words.get("bare", {}).values() for line in lines]
    return [*deeds, *plain, *noise, *requirements, *bare]


def draw(rng: random.Random, table: Mapping[str, Any]) -> str:
    """A name from a table, as the head of syllables.toml describes."""
    count = rng.randint(*table["syllables"])
    pieces = [rng.choice(table[part]) for _ in range(count) for part in ("onset", "nucleus", "coda")]
    name = "".join([*pieces, rng.choice(table["endings"])])
    return name[:1].upper() + name[1:]


@pytest.mark.parametrize("name", FILES)
def test_file_says_what_it_is_and_its_text_is_clean(name: str) -> None:
    """A comment on top; composed Unicode; no blank at an end or twice; no line beyond 120 characters."""
    text = (resources.files("proseform.tasks.cv") / f"words/{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 120
    assert not [line for line in strings(WORDS[name]) if line != unicodedata.normalize("NFC", line) or "  " in line]
    blank_ends = {line for line in strings(WORDS[name]) if line != line.strip()}
    particles = {
        particle for tradition in data("words/syllables")["tradition"] for particle in tradition.get("particles", ())
    }
    joints = {text for language in LANGUAGES for text in strings(WORDS[f"deeds.{language}"]["dates"])}
    assert blank_ends <= particles | joints | {*WORDS["around.en"]["personal"]["joint"]}


def test_skills_are_as_many_as_hiring_needs() -> None:
    assert len(SKILLS) >= 2000
    assert len(PROFESSIONS) >= 100
    assert len(WORDS["skills"]["family"]) >= 180
    assert all(len(set(profession["skills"])) == len(profession["skills"]) >= 12 for profession in PROFESSIONS)


def test_names_of_skills_fit_the_form() -> None:
    """A name has to stand in prose between the form's own words and marks."""
    marks = re.compile(r'[,:"“”()\n{}]|\.$|\b(?:basic|intermediate|advanced|or|none)\b', re.IGNORECASE)
    names = {*SKILLS, *(alias for _, alias in ALIASES)}
    assert [name for name in names if len(name) > 40 or marks.search(name)] == []


def test_names_of_skills_are_unambiguous() -> None:
    """No two skills differ in case alone; an alias belongs to one skill and is none itself."""
    folded = Counter(skill.casefold() for skill in SKILLS) + Counter(alias.casefold() for _, alias in ALIASES)
    assert [name for name, count in folded.items() if count > 1] == []
    assert {skill for skill, _ in ALIASES} <= SKILLS
    assert len(WORDS["aliases"]["en"]) >= 400
    assert min(len(WORDS["aliases"][language]) for language in ("de", "fr")) >= 200


def test_naming_one_skill_names_no_other() -> None:
    """But for a few products, a quote that has a skill's name at word borders is about that skill."""
    nested = {(owner, other) for name, owner in OWNERS.items() for other in named(name) - {owner}}
    assert nested == PARTS_OF_PRODUCTS


def test_proper_names_are_listed() -> None:
    """A name with a capital, a digit or a mark beyond its first letter would be another word if it began small."""
    proper = set(WORDS["skills"]["proper"])
    spelled = {skill for skill in SKILLS if skill[0].islower() or re.search(r"[A-Z0-9.#+]", skill[1:])}
    assert spelled <= proper <= SKILLS
    assert {"Excel", "Go", "Montessori method"} <= proper
    assert not proper & {"Wound care", "Payroll", "Unit testing"}


def test_professions_in_other_languages_are_those_of_the_skills() -> None:
    """Each resolves, none twice, and has enough of everything; a title has as many forms as candidates have."""
    known, fields = {one["title"] for one in PROFESSIONS}, WORDS["study"]["field"].keys()
    listed = WORDS["professions"]["profession"]
    assert len({one["of"] for one in listed} & known) == len(listed) >= 30
    assert {one["sector"] for one in vacancy.professions("de")} == {one["sector"] for one in PROFESSIONS}
    for one in listed:
        assert set(one["tools"]) <= set(WORDS["skills"]["proper"])
        assert set(one["fields"]) <= fields
        for language in FOREIGN:
            words = one[language]
            assert set(one["degrees"]) <= WORDS[f"deeds.{language}"]["asked"].keys()
            assert len({*words["skills"], *one["tools"]}) == len(words["skills"]) + len(one["tools"]) >= 14, one["of"]
            assert words["certificates"]
            assert all(title.count("|") < len(WORDS[f"deeds.{language}"]["forms"]) for title in words["titles"])


@pytest.mark.parametrize("language", FOREIGN)
def test_skills_in_other_languages_keep_the_laws_of_skills(language: str) -> None:
    """They fit the form; none stands in another, a title, a field, a certificate or a sentence, at word borders."""
    professions = vacancy.professions(language)
    skills = {skill for one in professions for skill in one["skills"]}
    joint = WORDS[f"deeds.{language}"]["either"].format(first="", second="")
    assert [skill for skill in skills if len(skill) > 40 or joint in skill or re.search(r'[,:"“”()\n{}]', skill)] == []
    assert max(Counter(skill.casefold() for skill in skills).values()) == 1
    others = {form for one in professions for title in one["titles"] for form in title.split("|")}
    others |= {field for one in professions for field in one["fields"]}
    others |= {certificate["short"] for one in professions for certificate in one["certificates"]}
    others |= {re.sub(r"\{\w+\}", "{}", line) for line in sentences(language)}
    names = "|".join(map(re.escape, sorted((skill.casefold() for skill in skills), key=len)))
    found = re.compile(rf"(?<!\w)(?=({names})(?![\w+#]))")
    assert [text for text in others if found.search(text.casefold())] == []
    assert [skill for skill in skills if found.findall(skill.casefold()) != [skill.casefold()]] == []


@pytest.mark.parametrize("language", FOREIGN)
def test_who_holds_a_permit_writes_the_words_of_the_job(language: str) -> None:
    """No other name of a permit is known in these languages."""
    for kind in WORDS[f"deeds.{language}"]["permit"]:
        assert all(placeholders(line) == ["permit"] for line in kind["holds"])
        assert len({*kind["asked"]}) == len(kind["asked"])
        assert not [permit for permit in kind["asked"] if re.search('[,:"]', permit)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_of_a_language_are_read(language: str) -> None:
    """Every month, and every word for the time of writing."""
    words = WORDS[f"deeds.{language}"]["dates"]
    for names in (words["long"], words["short"]):
        assert [dates.dates(f"{name} 2020") for name in names] == [
            [(month, month)] for month in range(12 * 2020, 12 * 2021)
        ]
    for joint, present in itertools.product(words["joints"], words["presents"]):
        assert dates.period(f"03/2019{joint}{present}", "05/2020") == (12 * 2019 + 2, 12 * 2020 + 4)
    assert all(dates.duration(line.format(years=1)) == 12 for line in WORDS[f"deeds.{language}"]["years"].values())


def test_families_part_known_skills() -> None:
    families = WORDS["skills"]["family"]
    members = Counter(skill for skills in families.values() for skill in skills)
    assert all(2 <= len(skills) <= 8 for skills in families.values())
    assert members.keys() <= SKILLS
    assert set(members.values()) == {1}


def test_titles_are_unique_and_name_no_skill() -> None:
    """A title at an employer is no evidence of a skill."""
    assert len(set(TITLES)) == len(TITLES)
    assert {title: named(title) for title in TITLES if named(title)} == {}


def test_fields_of_study_know_their_neighbours_both_ways() -> None:
    fields = WORDS["study"]["field"]
    assert len(fields) >= 180
    for name, field in fields.items():
        assert field["close"], name
        assert name not in field["close"]
        assert all(name in fields[other]["close"] for other in field["close"]), name
    for names in (list(fields), *([field[language] for field in fields.values()] for language in ("de", "fr"))):
        assert max(Counter(names).values()) == 1
        assert {name: named(name) for name in names if named(name)} == {}


def test_degrees_stand_at_one_level() -> None:
    levels = WORDS["study"]["level"]
    assert [level["rank"] for level in levels] == list(range(5))
    texts = Counter(text for level in levels for language in LANGUAGES for text in level[language])
    fixed = [degree for level in levels for degree in level.get("fixed", ())]
    texts += Counter(degree["text"] for degree in fixed)
    assert set(texts.values()) == {1}
    assert {name for degree in fixed for name in degree["fields"]} <= WORDS["study"]["field"].keys()
    assert {degree["language"] for degree in fixed} == set(LANGUAGES)
    assert min(len(level[language]) for level in levels for language in LANGUAGES) >= 5


def test_certificates_belong_to_a_profession() -> None:
    """Each form is one certificate's, and neither a skill nor a degree."""
    certificates = WORDS["credentials"]["certificate"]
    forms = Counter(form.casefold() for item in certificates for form in {item["short"], item["long"]})
    degrees = {text.casefold() for level in WORDS["study"]["level"] for name in LANGUAGES for text in level[name]}
    assert len(certificates) >= 190
    assert set(forms.values()) == {1}
    assert not forms.keys() & (OWNERS.keys() | degrees)
    assert {item["profession"] for item in certificates} <= {profession["title"] for profession in PROFESSIONS}


def test_permits_resolve_and_include_no_circle() -> None:
    for permit in WORDS["credentials"]["permit"]:
        values, includes = permit["values"], permit.get("includes", {})
        assert {*includes, *(item for items in includes.values() for item in items)} <= set(values)
        for value in includes:
            reached, todo = set[str](), list(includes[value])
            while todo:
                step = todo.pop()
                if step not in reached:
                    reached.add(step)
                    todo += includes.get(step, [])
            assert value not in reached
        assert all(len(names) == len(values) for names in permit.get("translated", {}).values())
        for language in LANGUAGES:
            assert permit["name"] in WORDS[f"deeds.{language}"]["permits"]
            assert all(placeholders(text) == ["value"] for text in permit["holds"][language])


def test_places_and_languages_are_told_apart() -> None:
    words = WORDS["credentials"]
    cities = [city for country in words["country"] for city in country["cities"]]
    assert len(set(cities)) == len(cities) >= 130
    assert words["city"].keys() <= set(cities)
    assert max(Counter(country["code"] for country in words["country"]).values()) == 1
    assert len(words["language"]) >= 50
    countries = [country[language] for country in words["country"] for language in LANGUAGES]
    spoken = [item[language] for item in words["language"] for language in LANGUAGES]
    assert [name for name in (*cities, *countries, *spoken) if named(name)] == []
    assert {test["language"] for test in words["language_test"]} <= {item["en"] for item in words["language"]}
    assert {test["level"] for test in words["language_test"]} <= set(words["cefr"]["levels"])
    for language in LANGUAGES:
        assert max(Counter(item[language] for item in words["language"]).values()) == 1
        table = words["cefr"][language]
        assert table.keys() == {*words["cefr"]["levels"], "none"}
        assert max(Counter(word for listed in table.values() for word in listed).values()) == 1


def drawable(table: Mapping[str, Any]) -> set[str]:
    """The names of skills that a table could draw, whatever the seed."""
    parts = ["|".join(map(re.escape, table[part])) for part in ("onset", "nucleus", "coda", "endings")]
    fewest, most = table["syllables"]
    pattern = "(?:({})({})({})){{{},{}}}({})".format(*parts[:3], fewest, most, parts[3])
    return {name for name in OWNERS if re.fullmatch(pattern, name, re.IGNORECASE)}


@pytest.mark.parametrize(
    ("language", "deeds", "hearsay", "noise", "least"),
    [("en", 150, 60, 120, 15), ("de", 80, 25, 50, 6), ("fr", 80, 25, 50, 6)],
)
def test_sentences_are_as_many_as_variety_needs(
    language: str, deeds: int, hearsay: int, noise: int, least: int
) -> None:
    words = WORDS[f"deeds.{language}"]
    assert sum(len(deed["templates"]) for deed in words["deed"]) >= deeds
    assert len(words["hearsay"]) >= hearsay
    assert sum(map(len, words["noise"].values())) >= noise
    assert words["require"].keys() == KINDS.keys()
    assert min(len(kind[name]) for kind in words["require"].values() for name in ("required", "preferred")) >= least
    assert words["heading"].keys() == SECTIONS
    for part in ("noise", "advert", "degrees", "permits", "skill_lines"):
        assert words[part].keys() == WORDS["deeds.en"][part].keys()
    assert max(Counter(heading.casefold() for listed in words["heading"].values() for heading in listed).values()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_kind(language: str) -> None:
    words = WORDS[f"deeds.{language}"]
    for deed in words["deed"]:
        skills = [] if deed["kind"] == "plain" else ["skill"]
        for template in deed["templates"]:
            assert sorted(placeholders(template)) in (skills, sorted([*skills, "number"])), template
    for template in (*words["hearsay"], *words["background"]):
        assert placeholders(template) == ["skill"], template
    for kind, expected in KINDS.items():
        asked = [*words["require"][kind]["required"], *words["require"][kind]["preferred"]]
        for template in (*asked, *words.get("bare", {}).get(kind, ())):
            assert sorted(placeholders(template)) == sorted(expected), template
    free = {*words["profile"], *(line for lines in words["noise"].values() for line in lines)}
    assert {name for line in free for name in placeholders(line)} <= {"title", "city", "employer"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_asked_for_can_be_quoted_of_every_wording(language: str) -> None:
    """At word borders, as quotes are looked up: "3 years" does not stand in "3 years+"."""
    words = WORDS[f"deeds.{language}"]
    filled = {"years": "3 years", "level": "solid", "degree": "a degree", "field": "Law", "language": "Dutch"}
    filled |= dict.fromkeys(("skill", "certificate", "permit", "place", "first", "second"), "Thing")
    for kind, wordings in words["require"].items():
        for template in (*wordings["required"], *wordings["preferred"], *words.get("bare", {}).get(kind, ())):
            line = template.format(**filled)
            assert all(stands(filled[name], line) for name in placeholders(template)), template


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_says_more_than_its_label(language: str) -> None:
    """A skill, language, city, degree or certificate stands in a CV or job only where a placeholder put it."""
    words, texts = WORDS["credentials"], WORDS[f"deeds.{language}"]
    names = {item[name] for item in words["language"] for name in LANGUAGES}
    degrees = {text for level in WORDS["study"]["level"] for text in level[language]}
    names |= {city for country in words["country"] for city in country["cities"]}
    names |= {form for item in words["certificate"] for form in (item["short"], item["long"])}
    headings = [line for part in ("heading", "advert") for listed in texts[part].values() for line in listed]
    lines = [re.sub(r"\{\w+\}", "{}", line) for line in sentences(language)]
    assert {line: named(line) for line in (*lines, *headings) if named(line)} == {}
    for where, unwanted in (((*lines, *headings), names), (lines, degrees)):
        found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(unwanted)))})(?!\w)")
        assert [line for line in where if found.search(line)] == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("Excel", "MS Excel"),
        ("Microsoft Excel", "Excel"),
        ("Microsoft Excel", "MS Excel"),
        ("AWS", "Amazon Web Services"),
        ("K8s", "Kubernetes"),
        ("Deutsch", "German"),
        ("PMP", "Project Management Professional"),
    ],
)
def test_a_job_may_use_any_name_of_a_thing(asked: str, shown: str) -> None:
    assert shown in synonyms.synonyms()[asked]


def test_a_permit_stands_for_what_it_includes_and_not_the_other_way_round() -> None:
    names = synonyms.synonyms()
    assert "Category C driving licence" in names["driving licence of class C1"]
    assert "Category C1 driving licence" not in names["driving licence of class C"]


@pytest.mark.parametrize("name", AROUND)
def test_what_counts_for_nothing_names_nothing_that_counts(name: str) -> None:
    """No skill, language, city, certificate, permit or degree; every field is one that can be filled."""
    things = WORDS["credentials"]
    names = {item[language] for item in things["language"] for language in LANGUAGES}
    names |= {city for country in things["country"] for city in country["cities"]}
    names |= {form for item in things["certificate"] for form in (item["short"], item["long"])}
    names |= {text for level in WORDS["study"]["level"] for language in LANGUAGES for text in level[language]}
    names |= {other for kind in synonyms.synonyms().values() for other in kind}
    found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)")
    tables = {part: value for part, value in WORDS[name].items() if part != "heading"}
    lines = [re.sub(r"\{\w+\}", "{}", line) for line in strings(tables)]
    assert {line: named(line) for line in lines if named(line)} == {}
    assert [line for line in lines if found.search(line)] == []
    filling = Filling(random.Random(0), "Ada Mo", "Elsewhere")
    assert all("{" not in filling.fill(line) for line in strings(tables))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_has_one_label(language: str) -> None:
    """No sentence is a deed and hearsay, required and preferred, or the same twice."""
    counts = Counter(line.casefold().rstrip(".") for line in sentences(language))
    assert [line for line, count in counts.items() if count > 1] == []


def test_deeds_are_marked_with_sectors_of_professions() -> None:
    sectors = {profession["sector"] for profession in PROFESSIONS}
    for language in LANGUAGES:
        marks = {sector for deed in WORDS[f"deeds.{language}"]["deed"] for sector in deed.get("sectors", ())}
        assert marks == sectors


def test_levels_of_skills_and_degrees_never_mean_two_things() -> None:
    for language in LANGUAGES:
        levels = WORDS[f"deeds.{language}"]["levels"]
        assert list(levels) == ["basic", "intermediate", "advanced"]
        assert WORDS[f"deeds.{language}"]["degrees"].keys() == {level["name"] for level in WORDS["study"]["level"]}
        assert max(Counter(word for words in levels.values() for word in words).values()) == 1


@pytest.mark.parametrize("tradition", WORDS["syllables"]["tradition"], ids=lambda tradition: tradition["name"])
def test_invented_names_can_be_read(tradition: Mapping[str, Any]) -> None:
    """Two hundred names of each table: short, of letters, no letter three times in a row, and of many kinds."""
    parts = {"given", "second", "family", "other", "initial", "particle", "tail", "middle"}
    assert {name for pattern in tradition["patterns"] for name in placeholders(pattern)} <= parts
    assert all("{given}" in pattern or "{initial}" in pattern for pattern in tradition["patterns"])
    for part in sorted(parts & tradition.keys()):
        rng = random.Random(f"{tradition['name']} {part}")
        assert drawable(tradition[part]) == set()
        names = [draw(rng, tradition[part]) for _ in range(200)]
        assert all(re.fullmatch(r"'?[^\W\d_]+(?:'[^\W\d_]+)*", name) and 2 <= len(name) <= 17 for name in names), names
        assert not [name for name in names if re.search(r"(.)\1\1", name.casefold())]
        assert len(set(names)) >= 25


@pytest.mark.parametrize("kind", ["employer", "school", "skill"])
def test_invented_things_can_be_read_and_are_no_skill(kind: str) -> None:
    """Stems name no listed skill; an invented skill fits the form as a listed one does."""
    table = WORDS["syllables"][kind]
    rng = random.Random(kind)
    stems = [draw(rng, table["stem"]) for _ in range(1000)]
    assert drawable(table["stem"]) == set()
    for endings in (WORDS[f"deeds.{language}"].get("endings", {}).get(kind) for language in LANGUAGES):
        assert not endings or drawable({**table["stem"], "endings": endings}) == set()
    assert len(set(stems)) >= 800
    assert not [stem for stem in stems if not 4 <= len(stem) <= 17 or re.search(r"(.)\1\1", stem.casefold())]
    patterns = [table["patterns"]] if kind == "skill" else [table["patterns"][language] for language in LANGUAGES]
    for pattern in (pattern for listed in patterns for pattern in listed):
        assert set(placeholders(pattern)) <= {"stem", "family", "city", "digit", "letter"}
        thing = re.sub(r"\{\w+\}", "Zzz", pattern)
        assert not named(thing), pattern
        if kind == "skill":
            assert not re.search(r'[,:"()]|\.$|\bor\b', thing)
