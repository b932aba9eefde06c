"""Where a quote stands: word for word, at word borders, folded by white space, Unicode form and divided words alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims import quotes


def texts(quote, text):
    return [text[start:end] for start, end in quotes.places(quote, text)]


@pytest.mark.parametrize(
    ("quote", "text", "stands"),
    [
        ("data modelling", "Data: data\n   modelling", "data\n   modelling"),
        ("data modelling", "data model-\nling", "data model-\nling"),
        ("data model- ling", "data model-\nling", "data model-\nling"),  # as a model copies a line break
        ("well-known", "a well-\n known tool", "well-\n known"),
        ("pre- and post-sales", "pre- and post-sales", "pre- and post-sales"),
        ("Zo\u00eb", "Zoe\u0308 Silva", "Zoe\u0308"),
        ("Zoe\u0308", "Zo\u00eb Silva", "Zo\u00eb"),
        ("C++", "C, C++, C#", "C++"),
        ("C", "C++, C", "C"),
        ("Node", "Node.js, Node", "Node"),
        ("5 years", "15 years, 5 years", "5 years"),
        ("5", "1.5, 10,5, 5.", "5"),
        ("2018", "2015-2018", "2018"),
        ("R", "R&D, R", "R"),
        ("ana", "ana@mail.org, ana", "ana"),
        ("technical", "non-technical, technical", "technical"),
        ("数据分析", "熟悉数据分析和建模", "数据分析"),
        ("ข้อมูล", "วิเคราะห์ข้อมูลขนาดใหญ่", "ข้อมูล"),
        ("हिन्दी", "भाषा: हिन्दी, अंग्रेज़ी", "हिन्दी"),
        ("(Python)", "Skills (Python)", "(Python)"),
        ("3-5 years", "for 3-\n5 years", "3-\n5 years"),  # of a number that a line break divides the hyphen stays
        ("non-technical", "a non\u2011technical person", "non\u2011technical"),
        ("unqualified", "an un\u00adqualified cook", "un\u00adqualified"),
    ],
)
def test_a_quote_stands_where_a_person_would_say_so(quote, text, stands):
    places = texts(quote, text)
    assert places[:1] == [stands]
    assert text.rfind(stands) == next(quotes.places(quote, text))[0]


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("python", "Python"),  # case is spelling
        ("Pythn", "Python"),
        ("data,modelling", "data modelling"),
        ("Java", "JavaScript"),
        ("React", "React.js"),
        ("SQL", "MySQL, NoSQL"),
        ("smoker", "non-smoker"),
        ("smoker", "non\u2011smoker"),  # a hyphen at which no line is broken
        ("qualified", "un\u00adqualified"),  # a hyphen that nobody sees
        ("35 years", "for 3-\n5 years"),
        ("20152019", "2015-\n2019"),
        ("हिन्द", "हिन्दी"),  # a vowel sign belongs to its letter
        ("office", "o\ufb03ce"),  # a reader spells ligatures out; nothing looser here
        ("", "text"),
        (" \n", "text"),
    ],
)
def test_what_only_looks_like_it_does_not(quote, text):
    assert texts(quote, text) == []


@given(st.text(st.sampled_from("ab \n-.é\u0301C+字"), max_size=40), st.data())
def test_places_are_spans_of_the_text_that_read_as_the_quote(text, data):
    """Any span taken as a quote is found where it was taken, if it begins and ends at borders; none is found twice."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    spans = list(quotes.places(text[start:end], text))
    assert len(spans) == len(set(spans))
    for low, high in spans:
        assert 0 <= low < high <= len(text)


def test_a_text_of_single_letters_costs_no_more_than_its_first_places():
    assert len(texts("a", "a " * 10_000)) == quotes.MOST_PLACES


def test_weight_counts_letters_and_digits():
    assert [quotes.weight(text) for text in ("", "—", "R", "C++", "5 y", "字")] == [0, 0, 1, 1, 2, 2]
