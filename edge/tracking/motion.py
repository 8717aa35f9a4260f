"""How a shopper moves: a constant-velocity Kalman filter on the floor plane.

Owns prediction, update and the likelihood of an observation, for one track; pure. Bar-Shalom, Li
and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), chapter 6.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.tracking.observations import FloorObservation

_FIRST_SPEED_SD_M_S = 0.9


@dataclass(frozen=True, eq=False)
class Motion:
    """Where somebody is and where they are going.

    Attributes:
        state: x, y in metres and their velocities in metres a second, shape ``(4,)``.
        covariance: Of the state, shape ``(4, 4)``.
    """

    state: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def from_observation(cls, observation: FloorObservation) -> Motion:
        """Standing where they were seen, at an unknown walking speed."""
        covariance = np.zeros((4, 4))
        covariance[:2, :2] = observation.covariance_m2
        covariance[2:, 2:] = np.eye(2) * _FIRST_SPEED_SD_M_S**2
        return cls(np.array([*observation.position_m, 0.0, 0.0]), covariance)

    @property
    def position_m(self) -> tuple[float, float]:
        """Shop x and y."""
        return float(self.state[0]), float(self.state[1])

    @property
    def velocity_m_s(self) -> tuple[float, float]:
        """Velocity along shop x and y."""
        return float(self.state[2]), float(self.state[3])

    def predicted(
        self, seconds: float, acceleration_sd_m_s2: float, slows_within_s: float | None = None
    ) -> Motion:
        """Some time later, nobody looking.

        Args:
            seconds: How much later, at least 0.
            acceleration_sd_m_s2: White acceleration noise.
            slows_within_s: Time constant with which the speed dies away; ``None`` keeps it. Who is
                hidden behind a shelf or a person has most often stopped there.
        """
        kept = 1.0 if slows_within_s is None else math.exp(-seconds / slows_within_s)
        travel = seconds if slows_within_s is None else slows_within_s * (1 - kept)
        step = np.eye(4)
        step[0, 2] = step[1, 3] = travel
        step[2, 2] = step[3, 3] = kept
        push = np.array([[seconds**4 / 4, seconds**3 / 2], [seconds**3 / 2, seconds**2]])
        noise = np.kron(push, np.eye(2)) * acceleration_sd_m_s2**2
        return Motion(step @ self.state, step @ self.covariance @ step.T + noise)

    def stopped(self) -> Motion:
        """At the same place, with the walk forgotten: about to turn anywhere."""
        covariance = np.zeros((4, 4))
        covariance[:2, :2] = self.covariance[:2, :2]
        covariance[2:, 2:] = np.eye(2) * _FIRST_SPEED_SD_M_S**2
        return Motion(np.array([*self.state[:2], 0.0, 0.0]), covariance)

    def updated(self, observation: FloorObservation) -> Motion:
        """With an observation of it taken in (Joseph form)."""
        measured = np.array(observation.covariance_m2)
        gain = self.covariance[:, :2] @ np.linalg.inv(self.covariance[:2, :2] + measured)
        state = self.state + gain @ (np.array(observation.position_m) - self.state[:2])
        keep = np.eye(4)
        keep[:, :2] -= gain
        covariance = keep @ self.covariance @ keep.T + gain @ measured @ gain.T
        return Motion(state, (covariance + covariance.T) / 2)

    def surprise(self, observation: FloorObservation) -> tuple[float, float]:
        """How badly an observation fits.

        Returns:
            The squared Mahalanobis distance, and minus twice its log likelihood per square metre.
        """
        spread = self.covariance[:2, :2] + np.array(observation.covariance_m2)
        miss = np.array(observation.position_m) - self.state[:2]
        squared = float(miss @ np.linalg.solve(spread, miss))
        return squared, squared + math.log(float(np.linalg.det(spread))) + 2 * math.log(2 * math.pi)
