"""Chats between an agent and speakers voiced by the base: scene, turns, policies, rollouts."""

from kl_derail.chat.evaluate import play
from kl_derail.chat.policy import (
    BasePolicy,
    Decision,
    Listener,
    Policy,
    ScriptedPolicy,
    View,
    scripted,
)
from kl_derail.chat.record import Origin, record
from kl_derail.chat.replies import Rewards, score_replies
from kl_derail.chat.rollout import Draw, Rollout, Samples, Stage, rollout
from kl_derail.chat.sampling import sample_tokens, stream, uniforms
from kl_derail.chat.scene import Scene
from kl_derail.chat.turns import Turn, TurnTracker

__all__ = [
    "BasePolicy",
    "Decision",
    "Draw",
    "Listener",
    "Origin",
    "Policy",
    "Rewards",
    "Rollout",
    "Samples",
    "Scene",
    "ScriptedPolicy",
    "Stage",
    "Turn",
    "TurnTracker",
    "View",
    "play",
    "record",
    "rollout",
    "sample_tokens",
    "score_replies",
    "scripted",
    "stream",
    "uniforms",
]
