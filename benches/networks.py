"""PyTorch's side of src/networks: training steps and inference."""


def rows(torch, tensor):
    """Rows by name: each prepares a call that takes no arguments."""
    nn = torch.nn

    def training(net, optimizer, *shape):
        x, labels = tensor(*shape), torch.arange(shape[0]) % 10

        def step():
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), labels).backward()
            optimizer.step()

        return step

    def sgd(net):
        return torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def adamw(net):
        return torch.optim.AdamW(net.parameters())

    def mlp():
        net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        return training(net, adamw(net), 64, 784)

    def mnist():
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 10),
        )
        return training(net, sgd(net), 64, 1, 28, 28)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Identity()
            if stride != 1 or inputs != outputs:
                conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    def resnet18():
        layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
            layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
        return training(net, sgd(net), 16, 3, 32, 32)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(384, 6, 4 * 384, dropout=0.0, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 6)
            self.head = nn.Linear(384, 10)

        def forward(self, x):
            return self.head(self.layers(x).mean(1))

    def encoder():
        net = Encoder()
        return training(net, adamw(net), 8, 128, 384)

    def encoder_inference():
        net, x = Encoder().eval(), tensor(1, 32, 384)

        def infer():
            with torch.no_grad():
                net(x)

        return infer

    return {
        "MLP training step, batch 64": mlp,
        "MNIST training step, batch 64": mnist,
        "ResNet-18 training step, batch 16": resnet18,
        "encoder training step, batch 8 x 128": encoder,
        "encoder inference, 1 x 32": encoder_inference,
    }
