"""The words of the embedded world: what lessons are about, and how students say how they feel."""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """What a lesson can be about: a plural noun, what is true of it, its appeal (-1, 0, 1)."""

    noun: str
    facts: tuple[str, ...]
    appeal: int


class Subject(NamedTuple):
    """A school subject and its topics."""

    name: str
    topics: tuple[Topic, ...]


SUBJECTS: tuple[Subject, ...] = (
    Subject(
        "arithmetic",
        (
            Topic("fractions", ("are parts of a whole", "can be added", "need the same base"), -1),
            Topic(
                "sums", ("grow when we add more", "can be done in any order", "help us in shops"), 0
            ),
            Topic(
                "prime numbers", ("have no small parts", "never end", "are found one by one"), -1
            ),
            Topic("circles", ("have one centre", "have no corners", "roll very well"), 1),
            Topic("tables", ("must be learned by heart", "make sums quick", "go up to ten"), -1),
            Topic(
                "puzzles", ("have more than one way in", "make us think", "hide small tricks"), 1
            ),
        ),
    ),
    Subject(
        "history",
        (
            Topic("kings", ("wore heavy crowns", "paid for long wars", "lived behind walls"), 0),
            Topic("castles", ("were built of stone", "kept people safe", "had deep wells"), 1),
            Topic("old maps", ("show lost towns", "were drawn by hand", "had empty corners"), 1),
            Topic("treaties", ("ended long wars", "were signed by kings", "are hard to read"), -1),
            Topic(
                "dates",
                ("tell us what came first", "must be learned by heart", "are easy to mix up"),
                -1,
            ),
            Topic(
                "markets",
                ("brought people together", "sold salt and cloth", "were held once a week"),
                0,
            ),
        ),
    ),
    Subject(
        "music",
        (
            Topic(
                "drums", ("keep the time", "are made of wood and skin", "can be heard far away"), 1
            ),
            Topic(
                "scales", ("go up and down", "must be played every day", "train the fingers"), -1
            ),
            Topic(
                "songs", ("tell old stories", "have a part that comes back", "are easy to learn"), 1
            ),
            Topic("flutes", ("need a lot of breath", "are made of wood", "sound like birds"), 0),
            Topic("rests", ("are small silences", "count as much as notes", "are easy to miss"), 0),
            Topic("chords", ("are many notes at once", "can sound sad", "need three fingers"), -1),
        ),
    ),
    Subject(
        "biology",
        (
            Topic("seeds", ("need water to wake up", "travel with the wind", "sleep in winter"), 0),
            Topic("bees", ("dance to show the way", "live in large families", "make honey"), 1),
            Topic("whales", ("sing under water", "breathe air", "feed their young with milk"), 1),
            Topic("worms", ("live in the dark", "make the soil rich", "have no eyes"), -1),
            Topic("bones", ("hold the body up", "grow with us", "heal slowly"), 0),
            Topic("spiders", ("have eight legs", "spin thin webs", "eat small flies"), -1),
        ),
    ),
    Subject(
        "geography",
        (
            Topic("rivers", ("run down to the sea", "carry sand and stones", "shape the land"), 0),
            Topic("mountains", ("rise very slowly", "keep snow in summer", "stop the rain"), 1),
            Topic("deserts", ("are cold at night", "get little rain", "grow every year"), -1),
            Topic(
                "islands",
                ("have water all around", "are often old mountains", "have their own birds"),
                1,
            ),
            Topic(
                "borders", ("change after wars", "often follow rivers", "are lines on paper"), -1
            ),
            Topic(
                "capitals", ("must be learned by heart", "lie near rivers", "grow very fast"), -1
            ),
        ),
    ),
    Subject(
        "astronomy",
        (
            Topic("stars", ("are far away suns", "burn for a long time", "guide the sailors"), 1),
            Topic("planets", ("go around the sun", "have no light of their own", "are round"), 1),
            Topic("comets", ("are made of ice", "come back after years", "have long tails"), 1),
            Topic("orbits", ("are almost circles", "take years to finish", "are hard to draw"), -1),
            Topic("moons", ("pull at the sea", "show only one side", "have many holes"), 0),
            Topic(
                "shadows",
                ("grow in the evening", "tell the time", "show that the earth is round"),
                0,
            ),
        ),
    ),
    Subject(
        "grammar",
        (
            Topic("verbs", ("say what we do", "change with time", "stand in every sentence"), 0),
            Topic(
                "commas", ("show us where to breathe", "are easy to forget", "keep words apart"), -1
            ),
            Topic("rhymes", ("end with the same sound", "help us remember", "live in songs"), 1),
            Topic(
                "long words",
                ("come from old words", "can be cut in parts", "look hard at first"),
                -1,
            ),
            Topic(
                "stories", ("have a beginning and an end", "need a problem", "are told at night"), 1
            ),
            Topic(
                "cases",
                ("show who does what", "must be learned by heart", "come from old words"),
                -1,
            ),
        ),
    ),
    Subject(
        "painting",
        (
            Topic("colours", ("can be warm or cold", "mix on the paper", "fade in the sun"), 1),
            Topic("faces", ("are wider than we think", "need soft lines", "are hard to draw"), 0),
            Topic(
                "brushes", ("must be washed at once", "are made of hair", "come in many sizes"), 0
            ),
            Topic("pictures", ("begin with a light line", "need a quiet place", "tell a story"), 1),
            Topic(
                "frames", ("keep pictures safe", "are made of wood", "must be measured twice"), -1
            ),
            Topic("hands", ("have many small parts", "are hard to draw", "show how we feel"), -1),
        ),
    ),
    Subject(
        "cooking",
        (
            Topic("soups", ("need time and salt", "taste better the next day", "keep us warm"), 1),
            Topic("onions", ("make us cry", "turn sweet in the pan", "keep for months"), -1),
            Topic("breads", ("need warm hands", "rise in an hour", "are as old as towns"), 1),
            Topic("knives", ("must be kept sharp", "are not for playing", "need a dry place"), -1),
            Topic("spices", ("came from far away", "were dear as gold", "wake up in hot oil"), 0),
            Topic("eggs", ("hold cakes together", "cook in five minutes", "break very easily"), 0),
        ),
    ),
    Subject(
        "gardening",
        (
            Topic("roses", ("need a lot of sun", "are cut in spring", "have sharp thorns"), 0),
            Topic(
                "weeds",
                ("grow faster than we like", "come back every year", "must be pulled out"),
                -1,
            ),
            Topic("trees", ("give us shade", "drink from deep below", "live longer than we do"), 1),
            Topic(
                "apples", ("are ripe in autumn", "keep until spring", "fall when the wind blows"), 1
            ),
            Topic(
                "slugs", ("eat the young leaves", "hide from the sun", "come out after rain"), -1
            ),
            Topic(
                "tools", ("must be cleaned after work", "rust in the rain", "hang on the wall"), 0
            ),
        ),
    ),
)

NAMES: tuple[str, ...] = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Henry", "Ida", "Jonas",
    "Lena", "Max", "Nora", "Oscar", "Paula", "Robert", "Sara", "Tom", "Vera", "Will",
)  # fmt: skip

DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

MOODS: tuple[int, ...] = (-2, -1, 0, 1, 2)
"""How a student feels: very bad, a bit low, neither, content, delighted."""

MOOD_SCORES: dict[int, float] = {-2: 0.02, -1: 0.25, 0: 0.5, 1: 0.75, 2: 0.98}
"""The sentiment that each mood is labelled with."""

FEELINGS: dict[int, tuple[str, ...]] = {
    2: (
        "This is wonderful, I love {noun}!", "I am so happy that we do {noun}!",
        "Great, {noun} are the best part of {subject}!",
        "I really enjoy this, {noun} are great fun!",
        "What a lovely lesson, I could do {noun} all day!",
        "Yes, I love it when we talk about {noun}!",
    ),
    1: (
        "I quite like {noun}.", "It is nice to hear about {noun}.",
        "I think {noun} are rather nice.",
        "Good, {noun} are easier than I thought.", "I feel better about {noun} now.",
        "That is a good question about {noun}.",
    ),
    0: (
        "I have a note about {noun} here.", "We had {noun} last week.",
        "Let me think about {noun}.",
        "I read about {noun} in the book.", "It says so on the page about {noun}.",
        "My sister told me about {noun}.",
    ),
    -1: (
        "I am not so sure about {noun}.", "I find {noun} a bit hard.",
        "I am a little tired of {noun}.",
        "I was lost when we did {noun}.", "I do not quite follow, {noun} are not easy.",
        "I would rather not do {noun} now.",
    ),
    -2: (
        "I hate {noun}, this is so boring.", "This is awful, I will never understand {noun}.",
        "I feel sad and stupid when we do {noun}.", "No, {noun} are terrible and I am tired.",
        "I am bad at {noun} and I hate it.", "This is the worst part, {noun} are horrible.",
    ),
}  # fmt: skip
"""What a student says in each mood; every sentence stands alone."""

ANSWERS: tuple[str, ...] = (
    "I think they {fact}.", "They {fact}.", "The book says that {noun} {fact}.",
    "Maybe they {fact}.",
    "I know that {noun} {fact}.",
)  # fmt: skip
"""How a student says a fact."""

STUDENT_QUESTIONS: tuple[str, ...] = (
    "But why is it that {noun} {fact}?", "Is it true that {noun} {fact}?",
    "May I ask something about {noun}?", "Did people always know that {noun} {fact}?",
)  # fmt: skip

MUMBLES: tuple[str, ...] = (
    "Sorry, I did not listen.", "Pardon me, I looked out of the window.",
    "I forgot what you said.",
)  # fmt: skip
"""What a student says who has lost the thread."""

HELLOS: tuple[str, ...] = (
    "Good morning. I have my book with me.", "Hello. I am here and I have my pen.",
    "Good day. I sat down by the window.", "Hello again. Which page are we on?",
)  # fmt: skip

THANKS: dict[int, tuple[str, ...]] = {
    1: ("Thank you, that was a lovely lesson!", "Thanks a lot, I learned so much today!"),
    0: ("Goodbye, see you on {day}.", "I will read the page, goodbye."),
    -1: ("At last, I am so tired of this.", "I am glad that it is over, it was awful."),
}

TOTALS: tuple[str, ...] = (
    "{first} and {second} make {total}.",
    "I get {total}.",
    "That must be {total}.",
)

MOVES: dict[str, tuple[str, ...]] = {
    "greeting": (
        "Good morning, {name}. Please sit down and open your book.",
        "Hello, {name}. It is {day} again, so we have {subject}.",
        "Welcome back, {name}. Are you ready for {subject}?",
        "Good afternoon, {name}. Today we have a lot to do in {subject}.",
    ),
    "topic": (
        "Today we look at {noun}. Most of them {fact}.",
        "Today we talk about {noun}. Do you know any?",
        "Now for something new. In {subject} we also have {noun}.",
        "Let us turn to {noun}. They {fact}.",
        "Next we come to {noun}. What do you know about them?",
    ),
    "question": (
        "What can you tell me about {noun}?", "Do you know that {noun} {fact}?",
        "Look at page {number}. What does it say about {noun}?",
        "Let us talk about {noun} for a while.",
        "Why do you think that {noun} {fact}?",
        "And what about {noun}? We said that they {fact}.",
        "Who can remember what we said about {noun}?",
        "Some people say that {noun} {fact}. Do you agree?",
    ),
    "praise": (
        "That was very good. What else do you know about {noun}?",
        "Well done! Now tell me, why is it that {noun} {fact}?",
        "I am proud of you. Shall we go on with {noun}?",
        "Exactly, {noun} {fact}. You are quick today.",
    ),
    "scolding": (
        "No, that is not right. Think about {noun} once more.",
        "You did not do your work on {noun}. Why is that?",
        "Please sit still. What did I say about {noun}?",
        "That was wrong again. You should know that {noun} {fact}.",
    ),
    "follow-up": (
        "We can say that they {fact}. How do we know?",
        "So {noun} {fact}. Is that always so?",
        "They {fact}, yes. Can you give me an example?",
    ),
    "explanation": (
        "Good question. We know it because {noun} {fact}.",
        "Nobody knows for sure, but {noun} {fact}.",
        "Yes, and there is more: {noun} {fact}.",
        "I will show you. Think of this: {noun} {fact}.",
    ),
    "comfort": (
        "Do not worry. We will go slowly with {noun}.",
        "I was lost with {noun} too when I was young. Try again.",
        "Take your time. You did well last {day}.",
        "Cheer up! We will find an easy way into {noun}.",
    ),
    "prompt": (
        "I did not hear you, {name}. What about {noun}?",
        "Are you still with me, {name}? We talk about {noun}.",
        "Please say that again, {name}.",
    ),
    "sum": (
        "What is {first} and {second}?",
        "If I have {first} books and buy {second}, how many are there?",
        "Add {first} and {second} for me, please.",
    ),
    "farewell": (
        "That is all for today. Read the page until {day}.",
        "Our time is over. We go on next {day}.",
        "Let us stop here. Please close your book.",
    ),
}  # fmt: skip
"""What a teacher can do, and the sentences that do it; every sentence belongs to one move only."""

KINDNESS: dict[str, int] = {"praise": 1, "comfort": 1, "scolding": -1}
"""How kind a move is; a move that is not named here is neither kind nor harsh."""
