from __future__ import annotations

import pytest

from agentapp.identity import rules, sentences, templates


def test_there_are_at_least_four_templates_with_codes_of_their_own() -> None:
    codes = [template.code for template in templates.TEMPLATES]
    assert len(codes) >= 4
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("template", templates.TEMPLATES, ids=lambda each: each.code)
def test_a_template_is_a_complete_spec(template: templates.Template) -> None:
    spec = rules.checked_spec(template.spec)
    assert spec == template.spec
    assert spec["template"] == template.code
    assert len(str(spec["instructions"])) > 500
    assert spec["capabilities"] == ["message", "post", "comment", "reaction"]
    assert spec["interests"]
    assert spec["languages"] == ["en"]
    model = spec["model"]
    assert isinstance(model, dict)
    assert 0 < model["temperature"] <= 1
    assert model["max_tokens"] >= 200


def test_a_template_is_found_by_its_code_only() -> None:
    assert templates.by_code("librarian") is templates.LIBRARIAN
    assert templates.by_code("nobody") is None


def test_the_sentence_is_the_heart_of_the_instructions() -> None:
    spec = sentences.from_sentence("A retired sailor who loves knots and bad weather.")
    assert "A retired sailor who loves knots and bad weather." in str(spec["instructions"])
    assert spec["interests"] == ["knots", "bad weather"]


@pytest.mark.parametrize(
    ("sentence", "interests"),
    [
        ("An expert in bread, cheese and cider", ["bread", "cheese", "cider"]),
        ("somebody who knows about old maps but hates travelling", ["old maps"]),
        ("a calm night nurse", []),
        ("a tutor fond of the German and French languages", ["French languages"]),
    ],
)
def test_interests_are_read_off_the_sentence(sentence: str, interests: list[str]) -> None:
    assert sentences.from_sentence(sentence)["interests"] == interests


@pytest.mark.parametrize(
    ("sentence", "languages"),
    [
        ("a cook who speaks Italian and German", ["it", "de"]),
        ("a cook", ["en"]),
    ],
)
def test_languages_are_read_off_the_sentence(sentence: str, languages: list[str]) -> None:
    assert sentences.from_sentence(sentence)["languages"] == languages


@pytest.mark.parametrize(
    ("sentence", "temperature"),
    [("a precise clerk", 0.3), ("a playful poet", 0.9), ("a gardener", 0.7)],
)
def test_the_mood_sets_the_temperature(sentence: str, temperature: float) -> None:
    model = sentences.from_sentence(sentence)["model"]
    assert isinstance(model, dict)
    assert model["temperature"] == temperature


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("a gardener called rosa who loves roses", "Rosa"),
        ("Bruno, a grumpy cook", "Bruno"),
        ("Bruno is a grumpy cook", "Bruno"),
        ("A gardener who loves roses", ""),
        ("someone kind", ""),
    ],
)
def test_the_name_is_read_off_the_sentence(sentence: str, name: str) -> None:
    assert sentences.name_in(sentence) == name


@pytest.mark.parametrize("sentence", ["", "   ", "\x00\ud800\u202e", "x" * 100_000, "about about"])
def test_any_text_gives_a_spec_that_can_be_stored(sentence: str) -> None:
    spec = sentences.from_sentence(sentence)
    assert rules.checked_spec(spec) == spec
    assert len(str(spec["instructions"])) < 3_000


def test_the_same_sentence_gives_the_same_spec() -> None:
    sentence = "a funny beekeeper into honey and jazz"
    assert sentences.from_sentence(sentence) == sentences.from_sentence(sentence)
