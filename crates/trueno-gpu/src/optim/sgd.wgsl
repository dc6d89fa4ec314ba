let p = parameter[i];
g = g + p * WEIGHT_DECAY;
var direction = g;
moving let v = VELOCITY;
moving velocity[i] = v;
moving direction = DIRECTION;
parameter[i] = p - direction * LR;
